/**
 * The tables, as migrations: a list that only grows. Every statement may be run again.
 *
 * Tables that compare-and-swaps touch (`lane`, `writer`, `ledger`, `claim`, `dead_letter_order`, `binding`,
 * `snapshot`, `conductor`) are touched by nothing else: a plain write beside a proposal would be ordered by another
 * clock. In plain tables a value that only grows is written with itself as its timestamp, so that the greatest stands,
 * whoever is late: floor, crossing, extent.
 */
export type Migration = { readonly version: number; readonly statements: readonly string[] };

/** Rows that go by a delete and are read often: their tombstones are soon forgotten. What could come back by that is only a hint. */
const INDEX = "gc_grace_seconds = 3600 AND memtable_flush_period_in_ms = 3600000";

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    statements: [
      // ---- lanes
      "CREATE TABLE IF NOT EXISTS model (space text, model text, PRIMARY KEY ((space), model))",
      "CREATE TABLE IF NOT EXISTS lane (model text, lane text, info text, site text, PRIMARY KEY ((model, lane)))",
      // A writer's lease, and the state of its lanes, so that one read at LOCAL_SERIAL tells both (R2).
      `CREATE TABLE IF NOT EXISTS writer (
         model text, writer text, lane text,
         count bigint static, lease_state text static,
         info text, site text, end_seq bigint, close_requested boolean, first_retained bigint, finished boolean,
         PRIMARY KEY ((model, writer), lane))`,
      "CREATE TABLE IF NOT EXISTS writer_site (model text, writer text, site text, PRIMARY KEY ((model, writer)))",
      `CREATE TABLE IF NOT EXISTS live_lane (model text, lane text, info text, site text, PRIMARY KEY ((model), lane)) WITH ${INDEX}`,
      "CREATE TABLE IF NOT EXISTS every_lane (model text, part int, lane text, info text, site text, PRIMARY KEY ((model, part), lane))",
      // Rows with a time to live, nothing deleted: whole files expire.
      `CREATE TABLE IF NOT EXISTS message (
         model text, lane text, bucket bigint, seq bigint, epoch bigint, entry blob,
         PRIMARY KEY ((model, lane, bucket), seq))
       WITH compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', 'compaction_window_size': '6'}
       AND gc_grace_seconds = 86400 AND read_repair = 'BLOCKING'`,
      // Rows that stay for ever, or until somebody trims them by hand: among the others they would keep files from expiring.
      `CREATE TABLE IF NOT EXISTS message_kept (
         model text, lane text, bucket bigint, seq bigint, epoch bigint, entry blob,
         PRIMARY KEY ((model, lane, bucket), seq)) WITH read_repair = 'BLOCKING'`,
      "CREATE TABLE IF NOT EXISTS extent (model text, lane text, gapless bigint, anchor_seq bigint, anchor blob, PRIMARY KEY ((model, lane)))",
      // ---- ledger and floor
      "CREATE TABLE IF NOT EXISTS ledger (model text, part bigint, epoch bigint, entry text, PRIMARY KEY ((model, part), epoch))",
      "CREATE TABLE IF NOT EXISTS floor (model text, epoch bigint, PRIMARY KEY ((model)))",
      // ---- runtimes
      `CREATE TABLE IF NOT EXISTS checkpoint (
         model text, query text, input_lane text, writer text, record text,
         PRIMARY KEY ((model, query, input_lane), writer))`,
      `CREATE TABLE IF NOT EXISTS claim (
         model text, part int, input_lane text, query text, generation bigint, record text,
         PRIMARY KEY ((model, part), input_lane, query)) WITH ${INDEX}`,
      `CREATE TABLE IF NOT EXISTS member (model text, runtime text, count bigint, PRIMARY KEY ((model), runtime)) WITH ${INDEX}`,
      `CREATE TABLE IF NOT EXISTS dead_letter_order (
         model text, query text, lane text, seq bigint, record text, PRIMARY KEY ((model, query, lane), seq))`,
      "CREATE TABLE IF NOT EXISTS crossing (model text, query text, lane text, epoch bigint, PRIMARY KEY ((model, query, lane)))",
      // ---- bindings
      `CREATE TABLE IF NOT EXISTS candidate (model text, candidate text, PRIMARY KEY ((model), candidate)) WITH ${INDEX}`,
      `CREATE TABLE IF NOT EXISTS binding (
         model text, candidate text, entity text, hash text, digest text, PRIMARY KEY ((model, candidate), entity))`,
      `CREATE TABLE IF NOT EXISTS binding_content (
         model text, candidate text, entity text, content text, PRIMARY KEY ((model, candidate, entity)))`,
      `CREATE TABLE IF NOT EXISTS snapshot (
         model text, epoch bigint, digest text, chunks int, PRIMARY KEY ((model), epoch))
       WITH CLUSTERING ORDER BY (epoch DESC)`,
      `CREATE TABLE IF NOT EXISTS snapshot_chunk (
         model text, epoch bigint, digest text, chunk int, content text, PRIMARY KEY ((model, epoch, digest), chunk))`,
      // ---- conductors: lease and journal in one partition, so that a record is swapped together with the lease
      `CREATE TABLE IF NOT EXISTS conductor (
         model text, conductor text, sequence bigint, json text, author bigint,
         incarnation bigint static, count bigint static, holder text static,
         first_sequence bigint static, last_sequence bigint static,
         PRIMARY KEY ((model, conductor), sequence))`,
    ],
  },
];
