import { expect, it } from "vitest";
import { createFailpoints, FailpointError } from "./failpoint.ts";

const noKill = (): void => {
  throw new Error("killed");
};

it("does nothing when unset, or at other names", async () => {
  await createFailpoints(undefined, noKill)("commit.promote.after");
  await createFailpoints("commit.promote.after:kill", noKill)("commit.promote.before");
});

it("fails at the nth hit alone", async () => {
  const failpoint = createFailpoints("a.b:error:2,c:error", noKill);
  await failpoint("a.b");
  await expect(failpoint("a.b")).rejects.toThrow(FailpointError);
  await failpoint("a.b");
  await expect(failpoint("c")).rejects.toThrow("failpoint c");
});

it("kills, and lets nothing behind it happen", async () => {
  let kills = 0;
  const failpoint = createFailpoints("a:kill", () => (kills += 1));
  const outcome = await Promise.race([failpoint("a").then(() => "went on"), Promise.resolve("stands")]);
  expect([kills, outcome]).toEqual([1, "stands"]);
});

it("refuses what it does not understand, naming it", () => {
  for (const bad of ["a", "a:die", "a:kill:0", "a:kill:x", "A:kill", "a:kill:1:2", ":kill"])
    expect(() => createFailpoints(bad, noKill), bad).toThrow(`GRECO_FAILPOINT: "${bad}"`);
});
