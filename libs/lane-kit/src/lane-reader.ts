/** Reads one lane by R2's rule. */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import type { Clock, LaneStore, Wake } from "@greco/ports";

export type ReadLaneOptions = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly model: ModelId;
  readonly lane: LaneId;
  /** The first seq wanted; 1: all. Below the first retained: `BelowRetentionError`. */
  readonly from: Seq;
  readonly leaseMs: number;
  /** Entries of one batch at most. Default 500. */
  readonly limit?: number;
  /** Default 100. Wakes make it quicker. */
  readonly pollMs?: number;
};

export type LaneBatch =
  /** Never empty, gapless, in order. These count for ever: every other reader and every replay sees the same (R2). */
  | { readonly type: "entries"; readonly entries: readonly Entry[] }
  /** The lane has ended at `end`; all up to it was yielded. The last batch. */
  | { readonly type: "end"; readonly end: Seq };

/**
 * Yields what counts as it comes, until the lane has ended. It reads no more than its consumer asks for. It never
 * seals: where a writer is dead, somebody calls `sealWriter` or runs `sealLapsedWriters`. Ends (throws the signal's
 * reason) when the signal aborts. `StoreUnavailableError` and `StoreUnknownError` are waited out.
 */
export type ReadLane = (options: ReadLaneOptions, signal: AbortSignal) => AsyncIterable<LaneBatch>;
