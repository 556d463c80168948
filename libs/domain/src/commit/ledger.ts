/** The ledger's entry of a committed version: a pure function of the proposal's record, so that any coordinator writes the same. */
import type { ChangedBinding, LedgerEntry } from "../epoch/ledger.ts";
import { DEAD_LETTERS_STREAM, EPOCHS_STREAM } from "../model/ids.ts";
import type { CandidateFacts, Outcome, ProposalFacts } from "./proposal.ts";

export function ledgerEntryOf(
  facts: ProposalFacts,
  candidate: CandidateFacts,
  outcome: Outcome & { committed: true },
): LedgerEntry {
  const bindings = outcome.bindings.map(({ entity, hash }): ChangedBinding =>
    hash === undefined
      ? { entity, removed: true }
      : { entity, candidate: candidate.id, hash, removed: false },
  );
  return {
    model: facts.model,
    epoch: outcome.version,
    candidate: candidate.id,
    // The built-in streams are in the scope of every epoch: the moment of effect for what touches no stream.
    scope: [...new Set([EPOCHS_STREAM, DEAD_LETTERS_STREAM, ...candidate.scope])].toSorted(),
    bindings,
    committedAtMs: outcome.committedAtMs,
    ...(facts.trace === undefined ? {} : { trace: facts.trace }),
  };
}
