import { expect, it } from "vitest";
import type { ConductorId, KindId } from "../model/ids.ts";
import { commandId, COMMANDS, parseCommandId } from "./command.ts";
import { freezeVoters } from "./freeze.ts";
import { COMMIT_LIMITS, elapsedMs, prepareDeadlineMs } from "./limits.ts";

const active = [
  { conductor: "tables" as ConductorId, kinds: ["table"] },
  { conductor: "audit" as ConductorId, kinds: [] },
  { conductor: "lambda" as ConductorId, kinds: ["query", "function"] },
];
const voters = (policy: "all" | "affected", kinds: string[], joining?: string): string[] =>
  freezeVoters(policy, active, new Set(kinds as KindId[]), joining as ConductorId | undefined).map(
    (each) => each.conductor,
  );

it("I1: with all, everybody who is registered votes", () => {
  expect(voters("all", [])).toEqual(["audit", "lambda", "tables"]);
});

it("with affected, those vote that own an affected kind or every kind", () => {
  expect(voters("affected", ["query"])).toEqual(["audit", "lambda"]);
  expect(voters("affected", [])).toEqual(["audit"]);
});

it("who joins votes on its join, once", () => {
  expect(voters("affected", [], "new")).toEqual(["audit", "new"]);
  expect(voters("all", [], "lambda")).toEqual(["audit", "lambda", "tables"]);
});

it("gives prepare twice what the longest plan says, within bounds", () => {
  expect(prepareDeadlineMs(COMMIT_LIMITS, [])).toBe(COMMIT_LIMITS.prepareMinMs);
  expect(prepareDeadlineMs(COMMIT_LIMITS, [1, 90_000])).toBe(180_000);
  expect(prepareDeadlineMs(COMMIT_LIMITS, [Number.NaN, 1e12])).toBe(COMMIT_LIMITS.prepareMaxMs);
});

it("I11: a clock that jumps costs one interval at most, and gives nothing back", () => {
  expect(elapsedMs(COMMIT_LIMITS, 100, 350)).toBe(250);
  expect(elapsedMs(COMMIT_LIMITS, 100, 1e12)).toBe(COMMIT_LIMITS.intervalMs);
  expect(elapsedMs(COMMIT_LIMITS, 1e12, 100)).toBe(0);
});

it("a command's id tells its proposal and kind, and nothing else does", () => {
  for (const kind of COMMANDS)
    expect(parseCommandId(commandId("p-1", kind))).toEqual({ proposal: "p-1", kind });
  for (const text of [
    "",
    "p",
    "p.",
    ".review",
    "p.other",
    "P.review",
    "p.review.x",
    `${"p".repeat(64)}.review`,
  ])
    expect(parseCommandId(text)).toBeUndefined();
});
