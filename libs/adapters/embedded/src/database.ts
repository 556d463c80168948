/**
 * One SQLite file, opened by any number of handles in any number of processes. Writes are queued and
 * committed in groups: what arrives in one turn of the event loop shares one transaction and one
 * `fsync`, and is durable (WAL, `synchronous=FULL`) before anyone is told (docs/decisions/0020-embedded-durability.md).
 *
 * No transaction lives longer than one synchronous stretch, so handles of one process never wait for each
 * other, and those of another process for a group at most.
 */
import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { StoreUnavailableError } from "@greco/ports";
import { createNews, type News } from "./news.ts";
import { createWriteQueue, type WriteQueue } from "./write-queue.ts";
import { isBusy, isSqlite, notDone } from "./sqlite-error.ts";

export type Row = Readonly<Record<string, SQLInputValue>>;

export type Database = AsyncDisposable & {
  /** A statement, prepared once and kept. */
  prepare(sql: string): StatementSync;
  /** One consistent look at the file; `look` is synchronous. */
  read<T>(look: () => T, signal: AbortSignal): Promise<T>;
  /** `write` runs inside the group's transaction, alone undone when it throws; resolves when it is durable. */
  write<T>(write: () => T, signal: AbortSignal): Promise<T>;
  /** News of commits by this handle at once, by others within some 25 ms. */
  readonly news: News;
  /** Lets everybody else have a turn of the event loop between two pages of a long read. */
  pause(): Promise<void>;
  /** Rejects what is asked of a closed handle. */
  check(signal: AbortSignal): void;
};

/** How long a statement blocks the event loop for another process's lock; beyond it the queue tries again. */
const BLOCKING_WAIT_MS = 20;
/**
 * How long opening, reading and writing try before they give up with nothing done. Longer than any group, shorter
 * than what a caller waits for: a process that is stopped with the lock in its hands holds up the others no longer.
 */
const LOCK_WAIT_MS = 10_000;
const LOCK_RETRY_MS = 3;

/** Makes the folder, and has its name on the disk before anything in it is. */
function makeFolder(folder: string): void {
  const made = mkdirSync(folder, { recursive: true });
  if (made === undefined) return;
  for (let each = folder; each.length >= made.length; each = dirname(each)) {
    const parent = openSync(dirname(each), "r");
    fsyncSync(parent);
    closeSync(parent);
  }
}

async function connectTo(path: string, schema: string, lockWaitMs: number): Promise<DatabaseSync> {
  makeFolder(resolve(dirname(path)));
  const until = performance.now() + lockWaitMs;
  for (;;) {
    const connection = new DatabaseSync(path, { timeout: BLOCKING_WAIT_MS });
    try {
      connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384");
      connection.exec(`BEGIN IMMEDIATE; ${schema}; COMMIT`);
      return connection;
    } catch (error) {
      connection.close();
      if (!isBusy(error) || performance.now() > until) {
        throw new StoreUnavailableError(`cannot open ${path}: is it a data file of Greco, and writable?`, {
          cause: error,
        });
      }
      await delay(LOCK_RETRY_MS);
    }
  }
}

/** Opens, and creates where nothing is yet. `schema` must be repeatable (`IF NOT EXISTS`). */
export async function openDatabase(
  path: string,
  schema: string,
  lockWaitMs = LOCK_WAIT_MS,
): Promise<Database> {
  const connection = await connectTo(path, schema, lockWaitMs);
  const statements = new Map<string, StatementSync>();
  let closed = false;

  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = connection.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  const dataVersion = prepare("PRAGMA data_version");
  const news = createNews(() => (dataVersion.get() as { data_version: number }).data_version);
  const queue: WriteQueue = createWriteQueue(connection, prepare, news.own, lockWaitMs);

  const check = (signal: AbortSignal): void => {
    signal.throwIfAborted();
    if (closed) throw new StoreUnavailableError(`${path} is closed: open the store again`);
  };

  /** Readers wait for nobody, but for who repairs the file after a crash. */
  const snapshot = <T>(look: () => T): T => {
    prepare("BEGIN").run();
    try {
      return look();
    } finally {
      prepare("COMMIT").run();
    }
  };

  return {
    prepare,
    news,
    check,
    pause: () => nextTurn(),
    async read(look, signal) {
      for (const since = performance.now(); ; await delay(LOCK_RETRY_MS)) {
        check(signal);
        try {
          return snapshot(look);
        } catch (error) {
          if (!isSqlite(error)) throw error;
          if (!isBusy(error) || performance.now() - since > lockWaitMs) throw notDone(error);
        }
      }
    },
    async write(write, signal) {
      check(signal);
      return queue.add(write, signal);
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      news.close();
      await queue.idle();
      statements.clear();
      connection.close();
    },
  };
}
