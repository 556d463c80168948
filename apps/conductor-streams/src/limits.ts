/** Limits of streams, each with the reason for its value. */
export const STREAM_LIMITS = {
  /** As the kind's schema says; lanes are held open by each ingress. */
  lanesMax: 64,
  lanesDefault: 4,
  /** Ten years: beyond, say for ever by leaving it out. */
  retentionMaxMs: 3650 * 24 * 60 * 60 * 1000,
  /** One page of stored messages; between two pages others of the process get their turn. */
  pageRows: 500,
  /** A review has seconds, and checks some 50,000 small messages in one. Above it nobody could wait for the answer. */
  storedRowsMax: 200_000,
  /** Messages that are named in a veto; a reader corrects the schema after the first few. */
  brokenMax: 5,
  /** Opening nothing and writing one binding, with room for a slow store. */
  prepareMs: 1_000,
} as const;
