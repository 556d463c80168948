/**
 * Takes away what nobody needs any more: freezes that died, the changes of discarded candidates, old request ids.
 * Any replica may do it at any time: each step compares what it saw, and touches one candidate's own keys.
 */
import { keys, type RequestRecord } from "@greco/control-kit";
import { CompactedError, type KeyValue, type Operation } from "@greco/ports";
import type { Registry } from "./registry.ts";
import { fromBytes, put, readRecord } from "./store/json.ts";
import type { CandidateRecord, PendingRecord } from "./store/records.ts";

const ENTRIES_A_READ = 200;

type Sweeping = Pick<Registry, "store" | "clock" | "ids" | "log" | "limits">;

/** Runs until the signal aborts. */
export async function runSweeper(registry: Sweeping, signal: AbortSignal): Promise<void> {
  const { clock, ids, log, limits } = registry;
  const compact = compaction(registry);
  while (!signal.aborted) {
    try {
      // Replicas do not all come at once.
      await clock.sleep(limits.sweepEveryMs * (0.5 + ids.random()), signal);
      await sweep(registry, signal);
      await compact(signal);
    } catch (error) {
      if (!signal.aborted) log.warn("registry.sweep", { error });
    }
  }
}

/** One round; returns how much it took away. */
export async function sweep(registry: Sweeping, signal: AbortSignal): Promise<number> {
  let swept = 0;
  for await (const { key, value } of all(registry, keys.allPendingCandidates(), signal)) {
    const [, model = "", candidate = ""] = key.split("/");
    if (await sweepCandidate(registry, model, candidate, fromBytes<PendingRecord>(value), signal)) swept += 1;
  }
  for await (const { key, value, modRevision } of all(registry, keys.allRequests(), signal)) {
    if (registry.clock.nowMs() - fromBytes<RequestRecord>(value).timeMs < registry.limits.requestKeptMs)
      continue;
    const { succeeded } = await registry.store.transact(
      {
        compare: [{ key, target: "modRevision", is: "=", value: modRevision }],
        then: [{ type: "delete", range: { key } }],
      },
      signal,
    );
    if (succeeded) swept += 1;
  }
  return swept;
}

/**
 * Lets the store forget what it said more than `historyKeptMs` ago: whoever watches is told to list again, and what
 * the registry itself calls history stands in keys of its own. Each call notes where the store is now.
 */
export function compaction({ store, clock, limits }: Sweeping): (signal: AbortSignal) => Promise<void> {
  let marks: readonly { readonly revision: number; readonly atMs: number }[] = [];
  return async (signal) => {
    const atMs = clock.monotonicMs();
    const { revision } = await store.range({ key: keys.driver() }, { limit: 1, keysOnly: true }, signal);
    marks = [...marks, { revision, atMs }];
    const old = marks.findLast((mark) => atMs - mark.atMs >= limits.historyKeptMs);
    if (old === undefined) return;
    marks = marks.filter((mark) => mark.revision > old.revision);
    await store.compact(old.revision, signal).catch((error: unknown) => {
      // Another replica, or the store's own keeper, was further already.
      if (!(error instanceof CompactedError)) throw error;
    });
  };
}

async function sweepCandidate(
  { store, clock, limits }: Sweeping,
  model: string,
  candidate: string,
  pending: PendingRecord,
  signal: AbortSignal,
): Promise<boolean> {
  const age = clock.nowMs() - pending.sinceMs;
  if (age < Math.min(limits.unsealedKeptMs, limits.discardedKeptMs)) return false;
  const key = keys.candidate(model, candidate);
  const record = await readRecord<CandidateRecord>(store, key, signal);
  const gone: Operation[] = [
    { type: "delete", range: { prefix: keys.candidateChunks(model, candidate) } },
    { type: "delete", range: { key: keys.pendingCandidate(model, candidate) } },
  ];
  const ends = (then: readonly Operation[]) =>
    store.transact(
      {
        compare: [{ key, target: "modRevision", is: "=", value: record?.revision ?? 0 }],
        then: [...then, ...gone],
      },
      signal,
    );
  const value = record?.value;
  if (value?.state === "unsealed" && age >= limits.unsealedKeptMs)
    return (await ends([{ type: "delete", range: { key } }])).succeeded;
  if (value?.state === "discarded" && age >= limits.discardedKeptMs)
    return (await ends([put(key, { ...value, collected: true })])).succeeded;
  return false;
}

async function* all(
  { store }: Sweeping,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<KeyValue, void, undefined> {
  let after: string | undefined;
  for (let more = true; more;) {
    const page = await store.range(
      after === undefined ? { prefix } : { prefix, after },
      { limit: ENTRIES_A_READ },
      signal,
    );
    yield* page.entries;
    after = page.entries.at(-1)?.key;
    more = page.more && after !== undefined;
  }
}
