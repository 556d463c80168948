/**
 * The gapless prefix of a model's ledger, in memory, and what is folded from it. An announcement is a hint: the ledger
 * is polled (R4). What is behind a gap does not exist yet.
 */
import type { FoldedBindings, LedgerEntry } from "@greco/domain/epoch";
import { EpochIndex } from "@greco/domain/epoch";
import type { Epoch, ModelId } from "@greco/domain/model";
import type { Clock, LaneStore, Log, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { LEDGER_PAGE, LEDGER_POLL_MS } from "./limits.ts";
import { Refresher } from "./refresher.ts";

export type LedgerFollowerOptions = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: ModelId;
  /** Default 250. Wakes make it quicker. */
  readonly pollMs?: number;
  /** Where to begin; nothing is known of what was before. Default: at the ledger's beginning. */
  readonly from?: FoldedBindings;
};

export interface LedgerFollower extends AsyncDisposable {
  readonly model: ModelId;
  /** The last epoch of the gapless prefix; 0: none. */
  readonly newest: Epoch;
  /** Bindings, identities, streams and scopes at any epoch of the prefix: the fold. Grows with it. */
  readonly index: EpochIndex;
  /** Entries of the prefix above `afterEpoch`, ascending. */
  entries(afterEpoch: Epoch): readonly LedgerEntry[];
  /** Reads the ledger at a quorum now, by a read that begins after this call (R3, R8). Returns the newest epoch. */
  refresh(signal: AbortSignal): Promise<Epoch>;
  /** Resolves once the prefix reaches `epoch`. */
  waitFor(epoch: Epoch, signal: AbortSignal): Promise<void>;
  /** Calls `listener` once for each new entry, in order, until the returned function is called. */
  onGrow(listener: (entry: LedgerEntry) => void): () => void;
}

/** Reads the ledger once, then follows it until it is disposed or the signal aborts. */
export async function followLedger(
  options: LedgerFollowerOptions,
  signal: AbortSignal,
): Promise<LedgerFollower> {
  const { laneStore, wake, clock, log, model, pollMs = LEDGER_POLL_MS } = options;
  const index = new EpochIndex(options.from);
  const listeners = new Set<(entry: LedgerEntry) => void>();

  const read = async (readSignal: AbortSignal): Promise<void> => {
    for (;;) {
      const page = await laneStore.readLedger(model, index.newest, LEDGER_PAGE, readSignal);
      for (const entry of page) {
        if (entry.epoch <= index.newest) continue;
        if (entry.epoch !== index.newest + 1) return;
        index.add(entry);
        for (const listener of listeners) listener(entry);
      }
      if (page.length < LEDGER_PAGE) return;
    }
  };
  const refresher = new Refresher({
    read,
    clock,
    log,
    pollMs,
    event: "ledger.unreadable",
    fields: { model },
  });
  const unlisten = wake.listen(wakeTopics.ledger(model), () => refresher.hint());
  try {
    await refresher.start(signal);
  } catch (error) {
    unlisten();
    throw error;
  }
  const onGrow = (listener: (entry: LedgerEntry) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    model,
    index,
    get newest() {
      return index.newest;
    },
    entries: (afterEpoch) => index.entries(afterEpoch),
    async refresh(refreshSignal) {
      await refresher.refresh(refreshSignal);
      return index.newest;
    },
    async waitFor(epoch, waitSignal) {
      waitSignal.throwIfAborted();
      if (index.newest >= epoch) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const abort = (): void => reject(waitSignal.reason as Error);
      const forget = onGrow((entry) => entry.epoch >= epoch && resolve());
      waitSignal.addEventListener("abort", abort, { once: true });
      try {
        await promise;
      } finally {
        forget();
        waitSignal.removeEventListener("abort", abort);
      }
    },
    onGrow,
    async [Symbol.asyncDispose]() {
      unlisten();
      await refresher[Symbol.asyncDispose]();
    },
  };
}
