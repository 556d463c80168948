/** Limits of the NATS adapter, each with the reason for its value. */
export const NATS_LIMITS = {
  /** Two unanswered pings end a connection that is cut without a word: after 10 to 15 s. */
  pingIntervalMs: 5_000,
  pingsOutMax: 2,
  /** One attempt to connect; a server on the same continent answers in a fraction of it. */
  connectMs: 3_000,
  /** Between attempts; with as much chance again, so that a thousand clients do not come back at once. */
  reconnectMs: 250,
  reconnectJitterMs: 250,
  /** Of pauses between attempts at anything else. */
  backoffMinMs: 50,
  backoffMaxMs: 1_000,
  /** Hints to one topic within it are one message more: little beside what a reader takes, and ten appends or more. */
  wakeEveryMs: 2,
  /** What is under way when it closes may end within this. */
  drainMs: 2_000,
  /** One request to JetStream. */
  requestMs: 3_000,
  /**
   * A publish is tried for so long. A cluster whose leader died answers that JetStream is not enabled for 8 s and
   * more; what is announced is announced again anyway, so longer would only pile up.
   */
  publishMs: 15_000,
  /** Messages asked for at once: a subscriber holds so many at most, of a megabyte each. */
  batch: 16,
  /** A pull that brings nothing ends after this, and the consumer is looked at. */
  pullMs: 20_000,
  /** Two heartbeats missed: the consumer is silent, and made again. */
  heartbeatMs: 3_000,
  /** A consumer that nobody pulls from is removed by the server: nothing is left behind by who dies. */
  consumerIdleMs: 60_000,
  /** A repeat of a message id within it is dropped; longer than any publish is tried. */
  repeatWindowMs: 120_000,
  /** Retention: the truth is elsewhere, and open work is announced again at least every 30 s. */
  retainMs: 24 * 3_600_000,
  retainBytes: 256 * 1024 * 1024,
  retainMessagesOfModel: 10_000,
  /** Of one message, beside its payload: subject and headers. */
  envelopeBytes: 1_024,
} as const;
