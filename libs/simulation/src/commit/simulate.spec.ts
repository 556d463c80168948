/** Thousands of runs with all rules, then each rule switched off: the simulation must see what it is for. */
import { describe, expect, it } from "vitest";
import type { CommitRules } from "./rules.ts";
import { simulateCommit, type CommitRun } from "./simulate.ts";

const RUNS = 1_500;

function firstViolation(off: Partial<CommitRules>, invariant: string): CommitRun | undefined {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const run = simulateCommit(seed, off);
    if (run.violation?.includes(invariant)) return run;
  }
  return undefined;
}

describe("the commit protocol in simulation", () => {
  it("I1 I2 I3 I5 I11: hold over thousands of worlds in which anything may be lost, late, repeated or dead", () => {
    const total = { committed: 0, aborted: 0, reverted: 0 };
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const run = simulateCommit(seed);
      expect(run.violation, `seed ${seed}`).toBeUndefined();
      total.committed += run.committed;
      total.aborted += run.aborted;
      total.reverted += run.reverted;
    }
    // A world in which nothing happens proves nothing.
    expect(Math.min(total.committed, total.aborted, total.reverted)).toBeGreaterThan(RUNS / 4);
  });

  it("gives the same run for the same seed", () => {
    expect(simulateCommit(7)).toEqual(simulateCommit(7));
  });

  /** What stands alone is needed alone; where two rules guard the same, both are off. */
  const broken: readonly [string, Partial<CommitRules>, string][] = [
    ["a vote is sent before it is in the journal", { journalFirst: false }, "I1"],
    ["answers are taken unjudged", { judged: false }, "I1"],
    ["voters are counted anew", { frozenVoters: false, promoteComparesRegistrations: false }, "I1"],
    ["late comers count at once", { lateComersJoin: false, promoteComparesRegistrations: false }, "I1"],
    ["a candidate is decided twice", { decidedOnce: false }, "I2"],
    ["an unheard promote is taken for a no", { readBack: false }, "I2"],
    [
      "two prepare at a time, and promote does not look at the head",
      { oneSlot: false, promoteComparesHead: false },
      "I3",
    ],
    ["the ledger is written before promote", { ledgerAfterPromote: false }, "I5"],
    ["the ledger is written out of order", { ledgerInOrder: false, oneSlot: false }, "I5"],
    ["who is ready undoes by itself (K5)", { readyWaits: false }, "I5"],
    ["the intent is not in the journal (K1)", { intentFirst: false }, "I11"],
    ["there is no tombstone (K2)", { tombstones: false }, "I11"],
    ["who aborts does not look at who was asked", { discardComparesRecord: false }, "I11"],
    ["the record is written without comparing", { recordCompared: false }, "I11"],
    ["only those who answered are told", { tellAll: false }, "I11"],
    ["nobody looks for open proposals", { scan: false }, "I11"],
    ["nothing is announced again", { reminds: false }, "I11"],
    ["time does not count", { deadlines: false }, "I11"],
  ];
  it.each(broken)("sees it when %s", (_, off, invariant) => {
    expect(firstViolation(off, invariant)).toBeDefined();
  });
});
