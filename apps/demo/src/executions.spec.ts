import { describe, expect, it } from "vitest";
import { checkExecutions } from "./executions.ts";

const versions = new Map([
  [1, "1"],
  [2, "3"],
]);
const positions = [
  { lane: "a", seq: 2, epoch: 1 },
  { lane: "a", seq: 4, epoch: 2 },
];

describe("executions", () => {
  it("are right when each message was handled by the version of the epoch at its position", () => {
    const executions = [
      { lane: "a", seq: 2, version: "1" },
      { lane: "a", seq: 4, version: "3" },
      { lane: "a", seq: 4, version: "3" },
    ];
    expect(checkExecutions({ calls: 2, executions }, positions, versions)).toEqual({
      ...{ calls: 2, messages: 3, unseen: 0, wrongVersion: 0 },
      versions: { "epoch 1": "1", "epoch 2": "3" },
    });
  });

  it("are wrong by another version, at a position without a result, and where none was seen", () => {
    const executions = [
      { lane: "a", seq: 2, version: "3" },
      { lane: "b", seq: 9, version: "1" },
    ];
    expect(checkExecutions({ calls: 2, executions }, positions, versions)).toMatchObject({
      unseen: 1,
      wrongVersion: 2,
    });
  });
});
