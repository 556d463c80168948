import { expect, it } from "vitest";
import type { LambdaOperation } from "../../../../../tools/lambda-faults/operation.ts";
import { cellsOf, titleOf, wayBack, type Recorded } from "./cells.ts";
import { OPERATIONS, type OperationName } from "./operations.ts";
import { roundsFor } from "./rounds.ts";
import { Steps, type Step } from "./steps.ts";

const stepsOf = (...calls: readonly (readonly [LambdaOperation, string?])[]): readonly Step[] => {
  const steps = new Steps();
  return calls.map(([operation, qualifier]) => steps.take({ operation, qualifier }));
};

const recorded: Recorded = new Map<OperationName, readonly Step[]>([
  [
    "create",
    stepsOf(
      ...([["GetFunction"], ["GetAccountSettings"], ["GetFunction"], ["CreateFunction"]] as const),
      ...([["GetFunction"], ["GetFunction"], ["PublishVersion"], ["CreateAlias"]] as const),
    ),
  ],
  ["code", stepsOf(["GetFunction"], ["UpdateFunctionCode"], ["PublishVersion"], ["DeleteFunction", "1"])],
  ["delete", stepsOf(["GetFunction"], ["DeleteFunction"])],
]);

it("has a cell for each call but polls, and each thing that may go wrong there, once", () => {
  const cells = cellsOf(recorded);
  const titles = cells.map(titleOf);
  expect(new Set(titles).size).toBe(titles.length);
  expect(titles).toContain("create | CreateFunction | Failed");
  expect(titles).toContain("create | GetFunction, 2 | taken after, no tags");
  expect(titles).toContain("code | PublishVersion | 412 always");
  expect(titles).toContain("code | DeleteFunction of a version | kill late");
  expect(titles.some((title) => title.includes("GetFunction, after CreateFunction, 2"))).toBe(false);
  expect(titles.some((title) => title.startsWith("code | GetFunction | taken"))).toBe(false);
});

it("runs each cell once, and a query is there for what needs it", () => {
  for (const models of [1, 4, 16]) {
    const cells = cellsOf(recorded);
    const rounds = roundsFor(cells, models);
    expect(rounds.flatMap((round) => round.cells.map(titleOf)).toSorted()).toEqual(
      cells.map(titleOf).toSorted(),
    );
    let present = false;
    for (const { operation, kills, cells: some } of rounds) {
      expect(some.length).toBeLessThanOrEqual(models);
      expect(some.every((cell) => cell.operation === operation)).toBe(true);
      expect(some.every(({ trouble }) => (trouble.type === "kill") === kills)).toBe(true);
      expect(present).toBe(OPERATIONS.indexOf(operation) > 1);
      if (operation === "create") present = true;
      if (operation === "delete") present = false;
    }
  }
});

it("is never in a round with others when it kills the process at what all of them wait for", () => {
  const rounds = roundsFor(cellsOf(recorded), 16);
  for (const { kills, cells } of rounds)
    if (kills && cells.some(({ step }) => step.operation === "GetAccountSettings"))
      expect(cells).toHaveLength(1);
});

it("takes a part of them that has each trouble, and most of the calls", () => {
  const some = cellsOf(recorded, 5);
  const names = new Set(some.map(({ trouble }) => trouble.name.replace(/ (?:before|after).*/, "")));
  expect(names.size).toBeGreaterThan(7);
});

it("finds where the way back of an aborted operation begins", () => {
  const steps = stepsOf(
    ...([["GetFunction"], ["CreateFunction"], ["PublishVersion"], ["GetFunction", "1"]] as const),
    ...([["GetFunction"], ["DeleteFunction"]] as const),
  );
  expect(wayBack(steps).map(({ name }) => name)).toEqual([
    "GetFunction, after PublishVersion",
    "DeleteFunction",
  ]);
  expect(() => wayBack(steps.slice(0, 2))).toThrow(/nobody looked/);
});
