/**
 * From when to when a query reads a stream. Its binding names the stream; which stream bears the name is the ledger's:
 * one that was removed and made again is another one, and whoever names it reads another from there on.
 */
import type { EntityIdentity, Epoch } from "../model/ids.ts";
import { entityKey } from "../model/ids.ts";
import type { EpochIndex } from "./epoch-index.ts";

/** A query reads `stream` from the marker of `since` until the marker of `until`. */
export type ReadRange = {
  readonly query: EntityIdentity;
  readonly stream: EntityIdentity;
  readonly since: Epoch;
  readonly until?: Epoch;
};

/**
 * One range for each stretch of epochs in which the query reads the same stream, ascending. `from`: the stream's name,
 * at each epoch that changed the query's binding; absent: it reads nothing from there until the next change.
 */
export function readRanges(
  index: EpochIndex,
  query: EntityIdentity,
  from: ReadonlyMap<Epoch, string>,
): readonly ReadRange[] {
  const changes = index.changesOf(query);
  const turns = new Set(changes);
  for (const name of new Set(from.values()))
    for (const stream of index.identitiesOf(entityKey("stream", name)))
      for (const turn of index.changesOf(stream)) turns.add(turn);
  const ranges: { query: EntityIdentity; stream: EntityIdentity; since: Epoch; until?: Epoch }[] = [];
  for (const turn of [...turns].toSorted((a, b) => a - b)) {
    const change = changes.findLast((each) => each <= turn);
    const name = change === undefined ? undefined : from.get(change);
    const stream = name === undefined ? undefined : index.identityAt(turn, entityKey("stream", name));
    const last = ranges.at(-1);
    const isOpen = last !== undefined && last.until === undefined;
    if (isOpen && last.stream === stream) continue;
    if (isOpen) last.until = turn;
    if (stream !== undefined) ranges.push({ query, stream, since: turn });
  }
  return ranges;
}
