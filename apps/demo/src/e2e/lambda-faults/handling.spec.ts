import { expect, it } from "vitest";
import { Handling } from "./handling.ts";

const versionAt = (epoch: number): string | undefined => ({ 2: "f:1", 3: "f:2" })[epoch];

function given(): Handling {
  const handling = new Handling();
  handling.stored("a:1", 1);
  handling.stored("a:3", 2);
  handling.handled("a:3", "f:1");
  handling.result("a:3");
  return handling;
}

it("is right when each message has one result, by the version of its epoch", () => {
  const handling = given();
  handling.handled("a:3", "f:1");
  expect(handling.judge(versionAt)).toEqual({ waiting: [], wrong: [] });
  expect([handling.count, handling.since(2)]).toEqual([2, 1]);
});

it("waits for a message without a result, and tells which version it is waiting for", () => {
  const handling = given();
  handling.stored("b:7", 2);
  expect(handling.judge(versionAt)).toEqual({
    waiting: ["message b:7 of epoch 2 has no result from f:1"],
    wrong: [],
  });
  expect(handling.waitingFor("f:1", versionAt)).toEqual(["message b:7 of epoch 2"]);
  expect(handling.waitingFor("f:2", versionAt)).toEqual([]);
});

it("tells of another version, of two results, of one where there is no query, and of one that nobody made", () => {
  const handling = given();
  handling.stored("b:7", 3);
  handling.handled("b:7", "f:1");
  handling.result("a:3");
  handling.result("a:1");
  expect(handling.judge(versionAt).wrong).toEqual([
    "message a:1 of epoch 1 has 1 results",
    "message a:1 of epoch 1 has a result, and no call was seen for it",
    "message a:3 of epoch 2 has 2 results",
    "message b:7 of epoch 3 was handled by f:1, not by f:2",
  ]);
});
