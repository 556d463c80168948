/**
 * A CP store behind a bad network. Nothing is repeated by itself: a transaction is what its caller sent. A watch
 * breaks off, between two batches, as often as calls are refused; whoever watches goes on from its last revision.
 */
import type { Clock, CpStore, KeyRange, WatchBatch } from "@greco/ports";
import {
  type CallKind,
  createNetwork,
  type FaultControl,
  type Network,
  type StoreFaults,
  throughNetwork,
} from "./faulty-store.ts";
import type { Random } from "./random.ts";

const KINDS = {
  range: "read",
  transact: "write",
  grantLease: "write",
  keepLease: "write",
  revokeLease: "write",
  compact: "write",
} as const satisfies Record<Exclude<keyof CpStore, "watch" | typeof Symbol.asyncDispose>, CallKind>;

async function* brokenOff(
  batches: AsyncIterable<WatchBatch>,
  network: Network,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch, void, undefined> {
  network.refuse();
  for await (const batch of batches) {
    await network.delay(signal);
    yield batch;
    network.refuse();
  }
}

export function faultyCpStore(
  store: CpStore,
  random: Random,
  faults: StoreFaults & { readonly clock: Clock },
): CpStore & FaultControl {
  const network = createNetwork(random, faults.clock, faults);
  const watched: CpStore = {
    range: (range, options, signal) => store.range(range, options, signal),
    transact: (transaction, signal) => store.transact(transaction, signal),
    watch: (range: KeyRange, afterRevision: number, signal: AbortSignal) =>
      brokenOff(store.watch(range, afterRevision, signal), network, signal),
    grantLease: (ttlMs, signal) => store.grantLease(ttlMs, signal),
    keepLease: (lease, signal) => store.keepLease(lease, signal),
    revokeLease: (lease, signal) => store.revokeLease(lease, signal),
    compact: (revision, signal) => store.compact(revision, signal),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
  return throughNetwork(watched, KINDS, network);
}
