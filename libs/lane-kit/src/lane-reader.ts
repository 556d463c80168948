/** Reads one lane by R2's rule: the rows first, then what the store says of the lane, then what counts. */
import type { Entry, LaneId, LeaseView, Seq } from "@greco/domain/lane";
import { countable, leaseSeen, seq } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import type { Clock, LaneStore, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { LANE_IDLE_POLL_MS, LANE_IDLE_POLLS_A_LEASE, LANE_PAGE, LANE_POLL_MS } from "./limits.ts";
import { Hint, persist } from "./waiting.ts";

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
  /** Default 100. Wakes make it quicker; where nothing comes it grows, to a second or the fifth of a lease. */
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
export async function* readLane(options: ReadLaneOptions, signal: AbortSignal): AsyncGenerator<LaneBatch> {
  const { laneStore, wake, clock, model, lane, leaseMs, limit = LANE_PAGE, pollMs = LANE_POLL_MS } = options;
  const hint = new Hint();
  const unlisten = wake.listen(wakeTopics.lane(lane), () => hint.give());
  const idleMs = Math.max(pollMs, Math.min(LANE_IDLE_POLL_MS, leaseMs / LANE_IDLE_POLLS_A_LEASE));
  let waitMs = pollMs;
  let { from } = options;
  let view: LeaseView | undefined;
  try {
    for (;;) {
      const at = from;
      const read = await persist(() => laneStore.read(model, lane, at, limit, signal), clock, signal);
      const nowMs = clock.monotonicMs();
      view = leaseSeen(view, read.lease, nowMs);
      // R2: rows count by the state that was read after them.
      const { entries, ended } = countable(from, read.entries, read.state, view, nowMs, leaseMs);
      if (entries.length > 0) {
        yield { type: "entries", entries };
        from = seq(from + entries.length);
      }
      if (ended && read.state.end !== undefined) {
        yield { type: "end", end: read.state.end };
        return;
      }
      waitMs = entries.length > 0 ? pollMs : Math.min(2 * waitMs, idleMs);
      if (entries.length < limit) await hint.next(clock, waitMs, signal);
    }
  } finally {
    unlisten();
  }
}
