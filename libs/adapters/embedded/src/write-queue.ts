/**
 * Group commit. Jobs that arrive in one turn of the event loop run in one transaction, each behind its own
 * savepoint, so one that throws undoes itself alone; a single `fsync` makes the group durable, and only then is
 * any of them answered (I8: acknowledged is durable).
 *
 * The next group starts no sooner than the last commit took: a slow disk gets larger groups, and the event loop
 * keeps half of its time.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { StoreUnavailableError } from "@greco/ports";
import { isBusy, isSqlite, notDone, unknown } from "./sqlite-error.ts";

export type WriteQueue = {
  add<T>(write: () => T, signal: AbortSignal): Promise<T>;
  /** Resolves when everything that was added is answered. */
  idle(): Promise<void>;
};

type Job = {
  readonly run: () => void;
  readonly succeed: () => void;
  readonly fail: (error: unknown) => void;
};

/** A group ends here, so that one `fsync` more and not a long transaction is what a flood costs. */
const GROUP_MS = 10;
const LOCK_RETRY_MS = 3;
/** A group begun later than this after the last is no flood: a disk that is slow once must not slow the next. */
const PAUSE_MAX_MS = 10;

export function createWriteQueue(
  connection: DatabaseSync,
  prepare: (sql: string) => StatementSync,
  committed: () => void,
  lockWaitMs: number,
): WriteQueue {
  let jobs: Job[] = [];
  let scheduled = false;
  let notBefore = 0;
  let lockedSince: number | undefined;
  let idlers: (() => void)[] = [];

  const later = (ms: number): void => {
    scheduled = true;
    if (ms < 1) setImmediate(flush);
    else setTimeout(flush, ms);
  };

  /** True when the lock was had. */
  const begin = (): boolean => {
    try {
      prepare("BEGIN IMMEDIATE").run();
      lockedSince = undefined;
      return true;
    } catch (error) {
      const now = performance.now();
      lockedSince ??= now;
      if (isBusy(error) && now - lockedSince < lockWaitMs) {
        later(LOCK_RETRY_MS);
        return false;
      }
      lockedSince = undefined;
      const failed = jobs;
      jobs = [];
      for (const job of failed) job.fail(notDone(error));
      return false;
    }
  };

  /** Runs one job behind a savepoint; false when SQLite has undone the whole group. */
  const attempt = (job: Job, done: Job[]): boolean => {
    prepare("SAVEPOINT job").run();
    try {
      job.run();
      prepare("RELEASE job").run();
      done.push(job);
    } catch (error) {
      if (!connection.isTransaction) {
        for (const each of [...done, job]) each.fail(notDone(error));
        return false;
      }
      prepare("ROLLBACK TO job").run();
      prepare("RELEASE job").run();
      job.fail(isSqlite(error) ? notDone(error) : error);
    }
    return true;
  };

  const commit = (done: readonly Job[]): void => {
    const start = performance.now();
    try {
      prepare("COMMIT").run();
    } catch (error) {
      if (connection.isTransaction) prepare("ROLLBACK").run();
      for (const job of done) job.fail(unknown(error));
      return;
    }
    const end = performance.now();
    notBefore = end + Math.min(end - start, PAUSE_MAX_MS);
    for (const job of done) job.succeed();
    if (done.length > 0) committed();
  };

  const flush = (): void => {
    scheduled = false;
    if (jobs.length > 0 && begin()) {
      const until = performance.now() + GROUP_MS;
      const group = jobs;
      const done: Job[] = [];
      let next = 0;
      let alive = true;
      while (alive && next < group.length && (next === 0 || performance.now() < until))
        alive = attempt(group[next++] as Job, done);
      jobs = group.slice(next);
      if (alive) commit(done);
    }
    if (jobs.length > 0 && !scheduled) later(notBefore - performance.now());
    if (jobs.length === 0) {
      const resolved = idlers;
      idlers = [];
      for (const resolve of resolved) resolve();
    }
  };

  return {
    add<T>(write: () => T, signal: AbortSignal): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        let outcome: { readonly value: T } | undefined;
        const aborted = (): void => {
          jobs = jobs.filter((each) => each !== job);
          reject(signal.reason as Error);
        };
        const settled = (): void => signal.removeEventListener("abort", aborted);
        const job: Job = {
          run: () => {
            outcome = { value: write() };
          },
          succeed: () => {
            settled();
            resolve((outcome as { value: T }).value);
          },
          fail: (error) => {
            settled();
            reject(error instanceof Error ? error : new StoreUnavailableError(String(error)));
          },
        };
        signal.addEventListener("abort", aborted, { once: true });
        jobs.push(job);
        if (!scheduled) later(notBefore - performance.now());
      });
    },
    idle: () =>
      new Promise<void>((resolve) => {
        if (jobs.length === 0) resolve();
        else idlers.push(resolve);
      }),
  };
}
