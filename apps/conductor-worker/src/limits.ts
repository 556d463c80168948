/** Defaults of queries, each with the reason for its value. */
export const QUERY_DEFAULTS = {
  /** A call to the outside that fails for a moment is worth a few attempts; more only delays what stands behind. */
  retries: 3,
  then: "dead-letter",
  /** Expressions take microseconds; a handler that waits for the outside should say that it needs longer. */
  timeoutMs: 1_000,
} as const;

/** Writing bindings; programs are loaded by runtimes, before the marker reaches them. */
export const PREPARE_MS = 1_000;

/** Queries that are checked at a stretch: some ten milliseconds, in which nothing else of the process runs. */
export const QUERIES_A_TURN = 25;
