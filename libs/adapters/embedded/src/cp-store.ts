/**
 * The CP store on SQLite, with etcd's semantics (libs/ports/src/cp-store.ts). I1, I2, I3 rest on its
 * transactions: they are serial, and durable before they are answered.
 */
import {
  type Clock,
  type CpStore,
  type KeyRange,
  type KeyValue,
  type RangeResult,
  type ReadOptions,
} from "@greco/ports";
import { compact } from "./cp-compaction.ts";
import { createLeases } from "./cp-leases.ts";
import { checkTransaction } from "./cp-limits.ts";
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

/** One stretch of synchronous reading. */
const PAGE = { limit: 1_000, bytes: 8_000_000 } as const;

/** Reads page by page, so that others get their turn, all at the revision of the first page. */
async function readRange(
  database: Database,
  range: KeyRange,
  options: ReadOptions,
  signal: AbortSignal,
): Promise<RangeResult> {
  const at = bounds(range);
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const entries: KeyValue[] = [];
  let after = "prefix" in range ? range.after : undefined;
  let answered = 0;
  let revision = options.revision;
  for (;;) {
    database.check(signal);
    const page = database.read(() => {
      answered = answered === 0 ? meta(database, "revision") : answered;
      revision ??= answered;
      const wanted = { after, limit: Math.min(PAGE.limit, limit - entries.length), bytes: PAGE.bytes };
      return readPage(database, at, options, revision, wanted);
    });
    entries.push(...page.entries);
    if (!page.more || entries.length >= limit) return { entries, more: page.more, revision: answered };
    after = entries.at(-1)?.key;
    await database.pause();
  }
}

export async function openEmbeddedCpStore(
  { path, clock }: EmbeddedOptions,
  signal: AbortSignal,
): Promise<CpStore> {
  signal.throwIfAborted();
  const database = await openDatabase(path, CP_SCHEMA);
  const closing = new AbortController();
  const leases = createLeases(database, clock);
  const ending = leases.run(closing.signal);

  return {
    range: (range, options, each) => readRange(database, range, options, each),
    async transact(transaction, each) {
      database.check(each);
      checkTransaction(transaction);
      return database.write(() => runTransaction(database, transaction), each);
    },
    watch: (range, afterRevision, each) => watch(database, clock, range, afterRevision, each),
    grantLease: leases.grant,
    keepLease: leases.keep,
    revokeLease: leases.revoke,
    compact: (revision, each) => compact(database, revision, each),
    async [Symbol.asyncDispose]() {
      closing.abort(new Error("the store is closed"));
      await ending;
      await database[Symbol.asyncDispose]();
    },
  };
}
