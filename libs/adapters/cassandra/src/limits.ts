/** Bounds of the adapter, each with the reason for its value. */

export const CASSANDRA_LIMITS = {
  /** Rows of a bucket: a partition of small messages stays below 10 MB, and a reader changes partition seldom. */
  bucketRows: 4_096,
  /**
   * Rows of one append, at most a bucket's: it stands whole in the bucket where it begins, and may hang over into the
   * seqs of the next one, never of more (DESIGN §5: never over two buckets).
   */
  appendRows: 4_096,
  /** Bytes of one append: half a commit log segment (32 MiB by default) is the largest mutation that a node takes. */
  appendBytes: 15_000_000,
  /** One read holds not much more than this. */
  readBytes: 4_000_000,
  readRows: 2_000,
  /** Rows of the first page of a read, while nothing is known of their size: at most 32 MB of the largest. */
  firstPage: 32,
  /** Rows of a page where they are small: seqs, keys. */
  page: 1_000,
} as const;

export type LaneLimits = { readonly bucketRows: number; readonly appendRows: number };

/**
 * Rows of a lane expire at twice its retention and a week: retention itself is housekeeping's (it knows who has still to
 * read), and this is what removes the rows from the disks. A query that lags further is told so (R3).
 */
export const TTL_GRACE_MS = 7 * 86_400_000;
/** What a server accepts. */
export const TTL_MAX_S = 630_720_000;

/** More than the servers' own time-outs (2 s writes, 5 s reads): after it, a coordinator has given the request up. */
export const REQUEST_TIMEOUT_MS = 8_000;
export const CONNECT_TIMEOUT_MS = 3_000;
/** Idle connections are probed, so that a node that is gone is noticed before a request waits for it. */
export const HEARTBEAT_MS = 5_000;
export const RECONNECT = { firstMs: 100, lastMs: 5_000 } as const;

/** Compare-and-swaps whose answer is lost are looked up and repeated so often, then their outcome is unknown. */
export const CAS_ATTEMPTS = 4;
/** Wait before a repeat: proposals of several clients would else keep refusing each other. */
export const CAS_BACKOFF_MS = 20;

/** Claims of a model are spread over so many partitions, for their proposals not to contend. */
export const CLAIM_PARTS = 16;
/** Finished lanes of a model are listed by housekeeping only: partitions of thousands of rows each. */
export const LANE_PARTS = 16;
/** Ledger entries of one partition. */
export const LEDGER_PART = 1_000;
/** Of a runtime that is gone without a word. */
export const MEMBER_TTL_S = 3_600;
/** Lanes whose records are read from one writer's partition at once. */
export const LANES_A_READ = 100;
/** Partitions read at once by one listing. */
export const READS_AT_ONCE = 32;
/** Lanes of which is remembered what never changes. */
export const LANES_REMEMBERED = 20_000;
/** Of the lanes that this handle writes: how often readers at other sites are told how far they are durable. */
export const TELL_SITES_MS = 50;
/** Bindings that one proposal carries. */
export const BINDINGS_A_SWAP = 100;
/** Characters of one row of a snapshot. */
export const SNAPSHOT_CHUNK = 250_000;

/** Of one data centre where nobody says otherwise; more are named by whoever makes the keyspace. */
export const REPLICAS_MAX = 3;
/** Longer than any set of schema changes on a busy cluster; a migrator that died holds others up so long. */
export const MIGRATION_LOCK_S = 120;
