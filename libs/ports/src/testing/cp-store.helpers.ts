/** What the CP store's suites share: writing one key, reading a watch, random transactions. */
import { expect } from "vitest";
import type {
  Compare,
  CpStore,
  KeyRange,
  KeyValue,
  LeaseId,
  Operation,
  Transaction,
  TransactionResult,
  WatchEvent,
} from "../cp-store.ts";
import { byBytes, keyOf, revisionOf } from "./cp-store-model.ts";
import { bytes, noAbort } from "./harness.ts";
import type { Random } from "./random.ts";

export const putOf = (key: string, value = "", lease?: LeaseId): Operation => ({
  type: "put",
  key,
  value: bytes(value),
  ...(lease === undefined ? {} : { lease }),
});
export const deleteOf = (range: KeyRange): Operation => ({ type: "delete", range });
export const getOf = (range: KeyRange): Operation => ({ type: "get", range });

export function transact(store: CpStore, ...then: Operation[]): Promise<TransactionResult> {
  return store.transact({ compare: [], then }, noAbort);
}

export async function revisionNow(store: CpStore): Promise<number> {
  return (await store.range({ key: "nothing" }, {}, noAbort)).revision;
}

export async function readOne(store: CpStore, key: string): Promise<KeyValue | undefined> {
  return (await store.range({ key }, {}, noAbort)).entries[0];
}

export async function keysOf(store: CpStore, prefix = ""): Promise<string[]> {
  return (await store.range({ prefix }, {}, noAbort)).entries.map((entry) => entry.key);
}

/** Events in one form for all stores: the order within a revision is not promised. */
export function sortedEvents(events: readonly WatchEvent[]): WatchEvent[] {
  return events.toSorted((a, b) => revisionOf(a) - revisionOf(b) || byBytes(keyOf(a), keyOf(b)));
}

/**
 * Reads a watch until everything up to `revision` was delivered, checking on the way that batches hold whole
 * revisions, in order, and that their mark never goes back.
 */
export async function eventsUpTo(
  store: CpStore,
  range: KeyRange,
  afterRevision: number,
  revision: number,
): Promise<WatchEvent[]> {
  const stop = new AbortController();
  const events: WatchEvent[] = [];
  let position = afterRevision;
  for await (const batch of store.watch(range, afterRevision, stop.signal)) {
    expect(batch.revision).toBeGreaterThanOrEqual(position);
    for (const event of batch.events) {
      // Behind the last mark, and covered by its own: no revision is divided or repeated.
      expect(revisionOf(event)).toBeGreaterThan(position);
      expect(revisionOf(event)).toBeLessThanOrEqual(batch.revision);
    }
    expect(batch.events.map(revisionOf)).toEqual(batch.events.map(revisionOf).toSorted((a, b) => a - b));
    events.push(...batch.events);
    position = batch.revision;
    if (position >= revision) break;
  }
  stop.abort(new Error("read enough"));
  return sortedEvents(events.filter((event) => revisionOf(event) <= revision));
}

const KEYS = ["a", "a/1", "a/2", "a/2/x", "b", "b/1", "ü", "\u{fffd}", "\u{1f600}", "zz"];
const PREFIXES = ["", "a", "a/", "a/2", "b/", "\u{1f600}", "none/"];
const VALUES = ["", "one", "two"];

export function randomRange(random: Random): KeyRange {
  if (random.chance(0.4)) return { key: random.pick(KEYS) };
  const prefix = random.pick(PREFIXES);
  return random.chance(0.3) ? { prefix, after: random.pick(KEYS) } : { prefix };
}

function randomCompare(random: Random, revision: number): Compare {
  const key = random.pick(KEYS);
  if (random.chance(0.3))
    return { key, target: "value", is: random.pick(["=", "!="]), value: bytes(random.pick(VALUES)) };
  const target = random.pick(["modRevision", "createRevision", "version"] as const);
  const value = random.chance(0.5) ? 0 : random.integer(target === "version" ? 4 : revision + 2);
  return { key, target, is: random.pick(["=", "!=", "<", ">"]), value };
}

function randomOperations(random: Random): Operation[] {
  const put = new Set<string>();
  const operations: Operation[] = [];
  for (let left = random.integer(4); left > 0; left--) {
    const key = random.pick(KEYS);
    if (random.chance(0.25)) operations.push(getOf(randomRange(random)));
    else if (!put.has(key)) operations.push(putOf(key, random.pick(VALUES)));
    put.add(key);
  }
  // Alone, because a key may be written once.
  return random.chance(0.2) ? [deleteOf(randomRange(random)), getOf({ prefix: "" })] : operations;
}

export function randomTransaction(random: Random, revision: number): Transaction {
  const compare = Array.from({ length: random.integer(3) }, () => randomCompare(random, revision));
  return { compare, then: randomOperations(random), else: randomOperations(random) };
}
