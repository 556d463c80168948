/** Defaults of queries, each with the reason for its value. */
export const QUERY_DEFAULTS = {
  /** The runtime's own threads: nothing else need be there. */
  runtime: "worker",
  /** A call to the outside that fails for a moment is worth a few attempts; more only delays what stands behind. */
  retries: 3,
  then: "dead-letter",
  /** Expressions take microseconds; a handler that waits for the outside should say that it needs longer. */
  timeoutMs: 1_000,
} as const;
