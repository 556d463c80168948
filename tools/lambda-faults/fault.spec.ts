import { expect, it } from "vitest";
import type { Call } from "./call.ts";
import { armedFaults } from "./fault.ts";
import type { LambdaOperation } from "./operation.ts";

const lost = { type: "lost", when: "before" } as const;

const callOf = (operation: LambdaOperation, functionName: string, qualifier?: string): Call => ({
  ...{ n: 1, operation, functionName, qualifier, atMs: 0 },
  request: { method: "GET", path: "/", headers: {}, body: undefined },
});

/** Which of the calls meet a fault, as numbers from 1. */
function metBy(
  faults: ReturnType<typeof armedFaults>,
  calls: readonly [LambdaOperation, string][],
): number[] {
  return calls.flatMap(([operation, functionName], index) =>
    faults.due(callOf(operation, functionName)).length > 0 ? [index + 1] : [],
  );
}

it("is met by the nth call of its operation and function, and so many times", () => {
  const faults = armedFaults();
  faults.arm({ operation: "PublishVersion", functionName: "f", at: 2, times: 2, what: lost });
  expect(
    metBy(faults, [
      ["PublishVersion", "f"],
      ["PublishVersion", "other"],
      ["GetFunction", "f"],
      ["PublishVersion", "f"],
      ["PublishVersion", "f"],
      ["PublishVersion", "f"],
    ]),
  ).toEqual([4, 5]);
});

it("counts a call for each of the faults that it matches", () => {
  const faults = armedFaults();
  faults.arm({ operation: "CreateFunction", at: 2, what: lost });
  faults.arm({ operation: "CreateFunction", what: lost });
  expect(
    metBy(faults, [
      ["CreateFunction", "f"],
      ["CreateFunction", "g"],
      ["CreateFunction", "h"],
    ]),
  ).toEqual([1, 2]);
});

it("is met by the calls alone that what it was told of them is true of, and counts only those", () => {
  const faults = armedFaults();
  faults.arm({
    operation: "GetFunction",
    matches: ({ qualifier }) => qualifier !== undefined,
    at: 2,
    what: lost,
  });
  const met = ["1", undefined, "2", "3"].map(
    (qualifier) => faults.due(callOf("GetFunction", "f", qualifier)).length,
  );
  expect(met).toEqual([0, 0, 1, 0]);
});

it("is met by nobody once it is disarmed, or all are cleared", () => {
  const faults = armedFaults();
  faults.arm({ operation: "CreateFunction", what: lost }).disarm();
  faults.arm({ operation: "Invoke", what: lost });
  faults.clear();
  expect(
    metBy(faults, [
      ["CreateFunction", "f"],
      ["Invoke", "f"],
    ]),
  ).toEqual([]);
});

it("refuses what can never be met", () => {
  const faults = armedFaults();
  const slow = { type: "slow", forms: 2 } as const;
  expect(() => faults.arm({ operation: "GetFunction", what: slow })).toThrow(/starts no activation/);
  expect(() => faults.arm({ operation: "Invoke", at: 0, what: lost })).toThrow(/from 1/);
  expect(() => faults.arm({ operation: "Invoke", times: 0, what: lost })).toThrow(/at least 1/);
});
