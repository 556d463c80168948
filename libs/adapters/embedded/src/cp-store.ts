/**
 * The CP store on SQLite, with etcd's semantics (libs/ports/src/cp-store.ts). I1, I2, I3 rest on its
 * transactions: they are serial, and durable before they are answered.
 */
import {
  checkTransaction,
  type Clock,
  CompactedError,
  type CpStore,
  type KeyRange,
  type KeyValue,
  type RangeResult,
  type ReadOptions,
} from "@greco/ports";
import { compact, createHistoryKeeper } from "./cp-compaction.ts";
import { createLeases } from "./cp-leases.ts";
import { bounds, meta, readPage } from "./cp-range.ts";
import { CP_SCHEMA } from "./cp-schema.ts";
import { runTransaction } from "./cp-transaction.ts";
import { watch } from "./cp-watch.ts";
import { type Database, openDatabase } from "./database.ts";

export type EmbeddedOptions = {
  /** The file; it and its folder are made where they are missing. */
  readonly path: string;
  readonly clock: Clock;
};

export type EmbeddedCpOptions = EmbeddedOptions & {
  /** How many revisions of history are kept; what is older is compacted by and by, as etcd is set up to do. */
  readonly historyRevisions?: number;
};

const HISTORY_REVISIONS = 100_000;

/** One stretch of synchronous reading. */
const PAGE = { limit: 1_000, bytes: 8_000_000 } as const;

type Asked = { readonly range: KeyRange; readonly options: ReadOptions; readonly signal: AbortSignal };

/** Reads page by page, so that others get their turn, all at the revision of the first page. */
async function readPages(database: Database, { range, options, signal }: Asked): Promise<RangeResult> {
  const at = bounds(range);
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const entries: KeyValue[] = [];
  let after = "prefix" in range ? range.after : undefined;
  let answered: number | undefined;
  for (;;) {
    const page = await database.read(() => {
      answered ??= meta(database, "revision");
      const wanted = { after, limit: Math.min(PAGE.limit, limit - entries.length), bytes: PAGE.bytes };
      return readPage(database, at, options, options.revision ?? answered, wanted);
    }, signal);
    for (const entry of page.entries) entries.push(entry);
    if (!page.more || entries.length >= limit) return { entries, more: page.more, revision: answered ?? 0 };
    after = entries.at(-1)?.key;
    await database.pause();
  }
}

async function readRange(database: Database, asked: Asked): Promise<RangeResult> {
  for (;;) {
    try {
      return await readPages(database, asked);
    } catch (error) {
      // Compacted between two pages of a read that named no revision: it is the read's to start again.
      if (!(error instanceof CompactedError) || asked.options.revision !== undefined) throw error;
    }
  }
}

export async function openEmbeddedCpStore(
  { path, clock, historyRevisions = HISTORY_REVISIONS }: EmbeddedCpOptions,
  signal: AbortSignal,
): Promise<CpStore> {
  signal.throwIfAborted();
  const database = await openDatabase(path, CP_SCHEMA);
  const closing = new AbortController();
  const leases = createLeases(database, clock);
  const ending = leases.run(closing.signal);
  const keeping = createHistoryKeeper(database, historyRevisions, closing.signal);

  return {
    range: (range, options, each) => readRange(database, { range, options, signal: each }),
    async transact(transaction, each) {
      database.check(each);
      checkTransaction(transaction);
      const result = await database.write(() => runTransaction(database, transaction), each);
      keeping.at(result.revision);
      return result;
    },
    watch: (range, afterRevision, each) => watch(database, clock, range, afterRevision, each),
    grantLease: leases.grant,
    keepLease: leases.keep,
    revokeLease: leases.revoke,
    compact: (revision, each) => compact(database, revision, each),
    async [Symbol.asyncDispose]() {
      closing.abort(new Error("the store is closed"));
      await Promise.all([ending, keeping.idle()]);
      await database[Symbol.asyncDispose]();
    },
  };
}
