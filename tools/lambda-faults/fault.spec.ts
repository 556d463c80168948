import { expect, it } from "vitest";
import { armedFaults } from "./fault.ts";
import type { LambdaOperation } from "./operation.ts";

const lost = { type: "lost", when: "before" } as const;

/** Which of the calls meet a fault, as numbers from 1. */
function metBy(
  faults: ReturnType<typeof armedFaults>,
  calls: readonly [LambdaOperation, string][],
): number[] {
  return calls.flatMap(([operation, functionName], index) =>
    faults.due({ operation, functionName }).length > 0 ? [index + 1] : [],
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
