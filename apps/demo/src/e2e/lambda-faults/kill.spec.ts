import { expect, it } from "vitest";
import { Kill } from "./kill.ts";

it("happens once, when the last of them has come or will not come", async () => {
  const seen: string[] = [];
  const does = (what: string) => () => {
    seen.push(what);
    return Promise.resolve();
  };
  const kill = new Kill(3, does("killed"), does("restarted"));
  const first = kill.arrive().then(() => seen.push("first goes on"));
  kill.leave();
  expect(seen).toEqual([]);
  await kill.arrive();
  await Promise.all([first, kill.restarted]);
  expect(seen.toSorted()).toEqual(["first goes on", "killed", "restarted"]);
});
