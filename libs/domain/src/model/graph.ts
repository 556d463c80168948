/**
 * What a change set touches (DESIGN §4.1), by the old and the new graph of a model. Costs what can be reached from
 * the changes, not what the model holds.
 */
import { entityIdentity, type EntityIdentity, type EntityKey } from "./ids.ts";
import type { Kinds } from "./kind.ts";
import { FLOW_BITS, kindOf, referrersOf, type ModelState } from "./state.ts";

export type Graphs = { readonly before: ModelState; readonly after: ModelState };

/** What changes, and what refers to it, directly or not, in the old or the new graph; in key order. */
export function affectedBy({ before, after }: Graphs, changed: Iterable<string>): readonly EntityKey[] {
  const affected = new Set<string>(changed);
  // A set's iteration also visits what is added meanwhile.
  for (const key of affected)
    for (const state of [before, after])
      for (const { source } of referrersOf(state, key)) affected.add(source);
  return [...affected].toSorted() as EntityKey[];
}

/**
 * Streams in whose lanes the marker must stand: changed streams, streams that affected entities read, and all that
 * is downstream of these and of the affected entities, on both graphs; in order.
 */
export function scopeOf(
  graphs: Graphs,
  changed: Iterable<string>,
  affected: Iterable<string>,
  kinds: Kinds,
): readonly EntityIdentity[] {
  const states = [graphs.before, graphs.after];
  const streams = new Set<string>();
  const isStream = (key: string): boolean => kinds.get(kindOf(key))?.stream === true;
  const add = (key: string): void =>
    void (isStream(key) && identityOf(graphs, key) !== undefined && streams.add(key));
  for (const key of changed) add(key);
  for (const state of states)
    for (const key of affected)
      for (const { target, flow } of state.entities.get(key)?.references ?? [])
        if (flow === "reads" || flow === "writes") add(target);
  for (const stream of streams)
    for (const state of states)
      for (const reader of readersOf(state, stream)) for (const key of writtenBy(state, reader)) add(key);
  return [...streams].toSorted().map((key) => identityOf(graphs, key) as EntityIdentity);
}

/** The identity of an entity that exists before or after; deleted, it is the one it had. */
export function identityOf({ before, after }: Graphs, key: string): EntityIdentity | undefined {
  const entity = after.entities.get(key) ?? before.entities.get(key);
  return entity === undefined ? undefined : entityIdentity(key as EntityKey, entity.createdVersion);
}

function* readersOf(state: ModelState, stream: string): IterableIterator<EntityKey> {
  for (const { source, flows } of referrersOf(state, stream))
    if ((flows & FLOW_BITS.reads) !== 0) yield source;
}

function* writtenBy(state: ModelState, key: string): IterableIterator<EntityKey> {
  for (const { target, flow } of state.entities.get(key)?.references ?? [])
    if (flow === "writes") yield target;
}

/** Where data goes next: from a stream to its readers, from a writer to the streams it writes. */
function nextOf(state: ModelState, key: string): readonly EntityKey[] {
  return [...new Set([...writtenBy(state, key), ...readersOf(state, key)])];
}

/**
 * Cycles of the flow of data that can be reached from `from`, each as the entities on it in the direction of the
 * data, at most `max`. If the graph had none before, every one that a change makes is reached from what changed.
 * After `visitsMax` entities the search gives up.
 */
export function cyclesFrom(
  state: ModelState,
  from: Iterable<string>,
  max: number,
  visitsMax = Number.POSITIVE_INFINITY,
): readonly (readonly EntityKey[])[] {
  const search: Search = { state, done: new Set(), cycles: [], max, visitsLeft: visitsMax };
  for (const start of from) searchFrom(search, start);
  return search.cycles;
}

type Search = {
  readonly state: ModelState;
  /** Everything that can be reached from these is known. */
  readonly done: Set<string>;
  readonly cycles: (readonly EntityKey[])[];
  readonly max: number;
  visitsLeft: number;
};

/** Depth first, without recursion: a chain of 100,000 queries is a legal model. */
function searchFrom(search: Search, start: string): void {
  const { state, done, cycles } = search;
  if (done.has(start)) return;
  const depths = new Map<string, number>();
  const path: { readonly key: string; readonly next: Iterator<string, undefined> }[] = [];
  const enter = (key: string): void => {
    depths.set(key, path.length);
    path.push({ key, next: nextOf(state, key).values() });
    search.visitsLeft -= 1;
  };
  enter(start);
  for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
    if (cycles.length === search.max || search.visitsLeft < 0) return;
    const key = frame.next.next().value;
    if (key === undefined) {
      depths.delete(frame.key);
      done.add(frame.key);
      path.pop();
      continue;
    }
    const depth = depths.get(key);
    if (depth !== undefined) cycles.push(path.slice(depth).map((each) => each.key as EntityKey));
    else if (!done.has(key)) enter(key);
  }
}
