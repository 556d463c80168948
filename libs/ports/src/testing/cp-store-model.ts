/**
 * The CP store as a few maps: what every adapter must answer, for random histories to be compared with.
 * Leases and limits are not in it.
 */
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  ReadOptions,
  Transaction,
  TransactionResult,
  WatchEvent,
} from "../cp-store.ts";

type State = ReadonlyMap<string, KeyValue>;

/** Order of UTF-8 bytes, which is that of code points and not that of UTF-16 units. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function matches(range: KeyRange, key: string, descending = false): boolean {
  if ("key" in range) return key === range.key;
  if (!key.startsWith(range.prefix)) return false;
  if (range.after === undefined) return true;
  const side = byBytes(key, range.after);
  return descending ? side < 0 : side > 0;
}

function holds(entry: KeyValue | undefined, compare: Compare): boolean {
  if (compare.target === "value") {
    if (entry === undefined) return false;
    return (Buffer.compare(entry.value, compare.value) === 0) === (compare.is === "=");
  }
  const actual = entry?.[compare.target] ?? 0;
  switch (compare.is) {
    case "=":
      return actual === compare.value;
    case "!=":
      return actual !== compare.value;
    case "<":
      return actual < compare.value;
    case ">":
      return actual > compare.value;
  }
}

export type CpStoreModel = {
  readonly revision: number;
  transact(transaction: Transaction): TransactionResult;
  range(
    range: KeyRange,
    options: ReadOptions,
  ): { readonly entries: readonly KeyValue[]; readonly more: boolean };
  /** What a watch behind `afterRevision` must see, in order of revision, within one by key. */
  eventsAfter(afterRevision: number, range: KeyRange): WatchEvent[];
};

export const revisionOf = (event: WatchEvent): number =>
  event.type === "put" ? event.entry.modRevision : event.modRevision;
export const keyOf = (event: WatchEvent): string => (event.type === "put" ? event.entry.key : event.key);

/** A store that stands empty at `revision`. */
export function cpStoreModel(revision: number): CpStoreModel {
  const states = new Map<number, State>([[revision, new Map()]]);
  const log: WatchEvent[] = [];
  let now = revision;

  const select = (state: State, range: KeyRange, options: ReadOptions): KeyValue[] => {
    const descending = options.descending === true;
    const found = [...state.values()].filter((entry) => matches(range, entry.key, descending));
    found.sort((a, b) => (descending ? byBytes(b.key, a.key) : byBytes(a.key, b.key)));
    return options.keysOnly === true ? found.map((entry) => ({ ...entry, value: new Uint8Array() })) : found;
  };
  const stateAt = (at: number): State => states.get(at) ?? new Map();

  const write = (state: Map<string, KeyValue>, operation: Operation, at: number): WatchEvent[] => {
    if (operation.type === "put") {
      const old = state.get(operation.key);
      const entry: KeyValue = {
        key: operation.key,
        value: operation.value,
        createRevision: old?.createRevision ?? at,
        modRevision: at,
        version: (old?.version ?? 0) + 1,
      };
      state.set(operation.key, entry);
      return [{ type: "put", entry }];
    }
    if (operation.type === "get") return [];
    const gone = [...state.keys()].filter((key) => matches(operation.range, key));
    for (const key of gone) state.delete(key);
    return gone.map((key) => ({ type: "delete", key, modRevision: at }));
  };

  return {
    get revision() {
      return now;
    },
    transact({ compare, then, else: otherwise = [] }) {
      const before = stateAt(now);
      const succeeded = compare.every((each) => holds(before.get(each.key), each));
      const state = new Map(before);
      const events: WatchEvent[] = [];
      const responses = (succeeded ? then : otherwise).map((operation) => {
        events.push(...write(state, operation, now + 1));
        if (operation.type !== "get") return [];
        const options = operation.options ?? {};
        const seen = options.revision === undefined ? state : stateAt(options.revision);
        return select(seen, operation.range, options).slice(0, options.limit);
      });
      if (events.length > 0) {
        now++;
        states.set(now, state);
        log.push(...events.toSorted((a, b) => byBytes(keyOf(a), keyOf(b))));
      }
      return { succeeded, revision: now, responses };
    },
    range(range, options) {
      const found = select(stateAt(options.revision ?? now), range, options);
      return {
        entries: found.slice(0, options.limit),
        more: found.length > (options.limit ?? Number.POSITIVE_INFINITY),
      };
    },
    eventsAfter: (afterRevision, range) =>
      log.filter((event) => revisionOf(event) > afterRevision && matches(range, keyOf(event))),
  };
}
