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

it("tells epochs apart where it is asked to", async () => {
  const failpoint = createFailpoints("marker@2:error,other:error:2", noKill);
  await failpoint("marker@1");
  await failpoint("marker");
  await expect(failpoint("marker@2")).rejects.toThrow("failpoint marker@2");
  await failpoint("other@1");
  await expect(failpoint("other@2")).rejects.toThrow("failpoint other@2");
});

it("counts no hit before its time", async () => {
  let time = false;
  const failpoint = createFailpoints("a:error:2", noKill, () => time);
  for (let hit = 0; hit < 3; hit++) await failpoint("a");
  time = true;
  await failpoint("a");
  await expect(failpoint("a")).rejects.toThrow(FailpointError);
});

it("kills, and lets nothing behind it happen", async () => {
  let kills = 0;
  const failpoint = createFailpoints("a:kill", () => (kills += 1));
  const outcome = await Promise.race([failpoint("a").then(() => "went on"), Promise.resolve("stands")]);
  expect([kills, outcome]).toEqual([1, "stands"]);
});

it("refuses what it does not understand, naming it", () => {
  for (const bad of ["a", "a:die", "a:kill:0", "a:kill:x", "A:kill", "a:kill:1:2", ":kill", "a@x:kill"])
    expect(() => createFailpoints(bad, noKill), bad).toThrow(`GRECO_FAILPOINT: "${bad}"`);
});
