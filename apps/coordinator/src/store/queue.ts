/** The queue of a model as the store has it: for a replica that does not drive, and holds no proposal in memory. */
import { keys } from "@greco/control-kit";
import type { CpStore } from "@greco/ports";
import { partsOf, type ProposalStore, type StoredProposal } from "./proposal-store.ts";

/** 1: it is the next. */
export async function positionOf(
  store: CpStore,
  proposals: ProposalStore,
  { model, created }: StoredProposal,
  signal: AbortSignal,
): Promise<number> {
  // Made with the proposal, in one transaction, and deleted when it settles.
  const { entries } = await store.range({ prefix: keys.openProposal(model, "") }, { keysOnly: true }, signal);
  const before = entries.filter(({ createRevision }) => createRevision < created);
  let position = 1;
  for (const { key } of before) {
    const stored = await proposals.read(model, partsOf(key).id, signal);
    if (stored?.proposal.phase === "queued") position += 1;
  }
  return position;
}
