/**
 * Group commit. Jobs that arrive in one turn of the event loop run in one transaction, each behind its own
 * savepoint, so one that throws undoes itself alone; a single `fsync` makes the group durable, and only then is
 * any of them answered (I8: acknowledged is durable). While a slow disk syncs, requests come in; the next turn takes
 * all of them, so groups grow as the disk gets slower, and there is one `fsync` a turn at most.
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

/** More wait for a slow disk in vain: who asks is refused, and slows down. */
export const QUEUE_MAX = 10_000;
/** A group ends here, so that one `fsync` more and not a long transaction is what a flood costs. */
const GROUP_MS = 10;
const LOCK_RETRY_MS = 3;

export function createWriteQueue(
  connection: DatabaseSync,
  prepare: (sql: string) => StatementSync,
  committed: () => void,
  lockWaitMs: number,
): WriteQueue {
  let jobs: Job[] = [];
  let scheduled = false;
  let lockedSince: number | undefined;
  let idlers: (() => void)[] = [];

  const schedule = (): void => {
    scheduled = true;
    setImmediate(flush);
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
        scheduled = true;
        setTimeout(flush, LOCK_RETRY_MS);
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
    try {
      prepare("COMMIT").run();
    } catch (error) {
      if (connection.isTransaction) prepare("ROLLBACK").run();
      for (const job of done) job.fail(unknown(error));
      return;
    }
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
    if (jobs.length > 0 && !scheduled) schedule();
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
        if (jobs.length >= QUEUE_MAX)
          return reject(
            new StoreUnavailableError(`${QUEUE_MAX} writes wait already: nothing was done, slow down`),
          );
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
        if (!scheduled) schedule();
      });
    },
    idle: () =>
      new Promise<void>((resolve) => {
        if (jobs.length === 0) resolve();
        else idlers.push(resolve);
      }),
  };
}
