/** Bounds of lane-kit, each with the reason for its value. */
import type { LaneWriterLimits } from "./writer.ts";

export const WRITER_LIMITS: LaneWriterLimits = {
  // Some tens of milliseconds of a busy lane: more only adds latency, less starves the group commit.
  windowEntries: 8_192,
  windowBytes: 16 * 1024 * 1024,
  // One under way, one being filled: a second call hides the store's round trip, more only make calls smaller.
  flights: 2,
  // Well under what one Cassandra batch, or one SQLite transaction, should hold.
  callEntries: 2_048,
  callBytes: 4 * 1024 * 1024,
  // Quartz drifts by 0.01 %; a clock that is slewed by NTP by 0.05 %. Two hundred times that.
  driftMargin: 0.1,
};

/** Renewals a lease: two may be lost before it lapses. */
export const RENEWALS_A_LEASE = 4;

/** Waits of a retry, doubling from the first to the last. */
export const RETRY = { firstMs: 10, lastMs: 500 } as const;

export const LEDGER_POLL_MS = 250;
export const LEDGER_PAGE = 200;
export const LANES_POLL_MS = 250;
export const LANE_POLL_MS = 100;
/** Idle lanes are asked less and less often: a hint that was lost costs so much at most, and no more than a lease takes. */
export const LANE_IDLE_POLL_MS = 1_000;
export const LANE_IDLE_POLLS_A_LEASE = 5;
export const LANE_PAGE = 500;
/** Rows that are read through when markers are looked for; fewer would be more reads, more would be payloads for nothing. */
export const MARKER_SCAN = 128;
/** Contents of bindings kept in memory, in characters. */
export const BINDING_CHARS = 64 * 1024 * 1024;
