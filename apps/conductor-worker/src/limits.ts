/** Bounds of the conductor, each with the reason for its value. */
/** Writing bindings; programs are loaded by runtimes, before the marker reaches them. */
export const PREPARE_MS = 1_000;

/** Queries that are checked at a stretch: some ten milliseconds, in which nothing else of the process runs. */
export const QUERIES_A_TURN = 25;
