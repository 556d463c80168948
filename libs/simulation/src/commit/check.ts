/** The invariants, looked at after every step. */
import { outcomeOf } from "@greco/domain/commit";
import type { SimConductor } from "./conductor.ts";
import { SimViolation, type CommitWorld } from "./world.ts";

export function checkCommit(world: CommitWorld, conductors: readonly SimConductor[]): void {
  checkRecords(world);
  for (const conductor of conductors) checkConductor(world, conductor);
  checkLedger(world, conductors);
  checkChain(world);
}

/** I2: the record of a proposal says what the registry decided, and a confirmation is decided once. */
function checkRecords(world: CommitWorld): void {
  for (const [id, { proposal }] of world.records) {
    const outcome = outcomeOf(proposal);
    if (outcome === undefined) continue;
    const { state } = world.candidate(id);
    if (state !== (outcome.committed ? "promoted" : "discarded"))
      throw new SimViolation(
        `I2: the record of ${id} says ${outcome.committed ? "committed" : "aborted"}, its candidate is ${state}`,
      );
    if (!outcome.committed) continue;
    const { confirmation } = outcome;
    const revert = world.candidates.get(`${id}-r1`);
    if (confirmation?.state === "confirmed" && revert?.state === "promoted")
      throw new SimViolation(`I2: ${id} was confirmed and reverted`);
  }
}

function checkConductor(world: CommitWorld, conductor: SimConductor): void {
  for (const [candidate, entry] of conductor.journal) {
    if (entry.outcome === undefined) continue;
    const { state } = world.candidate(candidate);
    if (entry.outcome === "released" && state !== "promoted")
      throw new SimViolation(`I2: ${conductor.id} was told that ${candidate} is committed; it is ${state}`);
    if (entry.outcome === "undone" && state !== "discarded")
      throw new SimViolation(`I2: ${conductor.id} was told that ${candidate} is aborted; it is ${state}`);
    if (entry.outcome === "undone" && (conductor.region.get(candidate) ?? 0) > 0)
      throw new SimViolation(
        `I11: ${conductor.id} confirmed to have undone ${candidate}, and something of it is left`,
      );
  }
}

/** I5, beside what an append refuses: while an epoch's marker may stand in lanes, its voters' A's are there. */
function checkLedger(world: CommitWorld, conductors: readonly SimConductor[]): void {
  for (const { epoch, candidate } of world.ledger)
    for (const { conductor } of world.frozen.get(candidate) ?? []) {
      const region = conductors.find((each) => each.id === conductor)?.region;
      if (region?.get(candidate) !== 2)
        throw new SimViolation(
          `I5: epoch ${epoch} may be in lanes, and ${conductor} is not ready for ${candidate}`,
        );
    }
}

function checkChain(world: CommitWorld): void {
  for (const [version, { base, id }] of world.versions)
    if (base !== version - 1) throw new SimViolation(`I3: version ${version} is ${id}, made on ${base}`);
}
