/** The adapter's limits, each with the reason for its value. All may be given to `openEtcdCpStore`. */

export type EtcdLimits = {
  /**
   * How long one attempt to read waits for a node. A read is tried again elsewhere, so it may be short: a call that is
   * on its way to a leader that dies hangs for 5.6 s otherwise (etcd's own time-out).
   */
  readonly readAttemptMs: number;
  /** How long a write waits before its outcome is unknown. Above what a busy disk takes to sync its log. */
  readonly writeMs: number;
  /** That much longer for each byte that it carries: 1 s for the largest transaction. */
  readonly writeMsAByte: number;
  /** How long calls are tried again, all nodes in turn, before the store is unavailable. Above two elections. */
  readonly giveUpMs: number;
  /** After a failure: how long calls wait for a leader to be known, before they ask any node. Above an election. */
  readonly leaderMs: number;
  /** Between two attempts when the last node tried has failed too. */
  readonly retryPauseMs: number;
  /** Between two questions how far a watch has come: marks come at least every few seconds (cp-store.ts). */
  readonly progressMs: number;
  /** A stream that has said nothing for so long is cut and made anew, at another node. */
  readonly silenceMs: number;
  /** What a watch holds for a slow reader; beyond it, it is given up at the server, and made again when read. */
  readonly watchEvents: number;
  readonly watchBytes: number;
};

export const ETCD_LIMITS: EtcdLimits = {
  readAttemptMs: 500,
  writeMs: 1_000,
  writeMsAByte: 1 / 1_500,
  giveUpMs: 5_000,
  leaderMs: 2_000,
  retryPauseMs: 25,
  progressMs: 1_000,
  silenceMs: 5_000,
  watchEvents: 10_000,
  watchBytes: 8_000_000,
};
