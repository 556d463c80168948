/**
 * What retire looks at, folded from the ledger alone. A binding is in force from its epoch until the epoch
 * that replaced or removed it. Which lanes may need it is bounded by the scopes of the epochs between: a
 * lane whose rows at epoch r run the binding is of a stream that is in the scope of the epoch that ended
 * that, whether by the binding, by the query that stands on it, or by the stream (§4.1, scope on both
 * graphs). So the rows of a stream need it only below the last of those epochs that has the stream in scope.
 */
import type { EpochIndex, LedgerEntry } from "@greco/domain/epoch";
import {
  DEAD_LETTERS_STREAM,
  EPOCHS_STREAM,
  epoch,
  parseEntityIdentity,
  type CandidateId,
  type EntityIdentity,
  type EntityKey,
  type Epoch,
} from "@greco/domain/model";

export type Superseded = {
  readonly entity: EntityIdentity;
  readonly candidate: CandidateId;
  /** In force from here … */
  readonly from: Epoch;
  /** … until here, exclusively. */
  readonly until: Epoch;
};

/** Bindings whose time ends with this entry. */
export function supersededBy(
  index: EpochIndex,
  entry: LedgerEntry,
  isMine: (kind: string) => boolean,
): readonly Superseded[] {
  const before = epoch(entry.epoch - 1);
  return entry.bindings.flatMap(({ entity }): Superseded[] => {
    if (!isMine(parseEntityIdentity(entity).kind)) return [];
    const binding = index.bindingAt(before, entity);
    const from = index.changesOf(entity).findLast((each) => each <= before);
    if (binding === undefined || from === undefined) return [];
    return [{ entity, candidate: binding.candidate, from, until: entry.epoch }];
  });
}

/**
 * For each stream (by name, whatever identity bore it) the epoch below which its rows may need the binding.
 * `inputs`: of which streams the lanes run it, where the author knows.
 */
export function boundsOf(
  index: EpochIndex,
  { from, until }: Superseded,
  inputs: readonly EntityKey[] | undefined,
): ReadonlyMap<EntityKey, Epoch> {
  const bounds = new Map<EntityKey, Epoch>();
  for (const entry of index.entries(from)) {
    if (entry.epoch > until) break;
    // Whoever follows `epochs` (flags, routes) must have seen the marker; it holds nothing else.
    bounds.set(parseEntityIdentity(EPOCHS_STREAM).key, entry.epoch);
    // Nothing runs on dead letters.
    for (const stream of entry.scope)
      if (stream !== DEAD_LETTERS_STREAM) bounds.set(parseEntityIdentity(stream).key, entry.epoch);
  }
  if (inputs === undefined) return bounds;
  return new Map([...bounds].filter(([stream]) => inputs.includes(stream)));
}
