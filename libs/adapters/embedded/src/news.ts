/**
 * Tells waiters that the file may have changed. Own commits are told at once; those of other handles are
 * found by polling `PRAGMA data_version`, only while somebody waits, which costs a look at shared memory.
 */
export type News = {
  /** Grows with whatever may be news. Read it before looking, and wait from there: nothing is missed. */
  readonly count: number;
  /** Resolves when `count` has passed `seen`, or the signal has aborted, or the store is closed; never rejects. */
  after(seen: number, signal: AbortSignal): Promise<void>;
  /** An own commit. */
  own(): void;
  close(): void;
};

const POLL_MS = 25;

export function createNews(dataVersion: () => number): News {
  const waiting = new Set<() => void>();
  let count = 0;
  let known = dataVersion();
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const tell = (): void => {
    count++;
    for (const wake of [...waiting]) wake();
  };
  const poll = (): void => {
    timer = undefined;
    const found = dataVersion();
    if (found !== known) {
      known = found;
      tell();
    }
    arm();
  };
  const arm = (): void => {
    if (waiting.size > 0 && timer === undefined && !closed) timer = setTimeout(poll, POLL_MS).unref();
  };

  return {
    get count() {
      return count;
    },
    after: (seen, signal) =>
      new Promise<void>((resolve) => {
        if (count > seen || signal.aborted || closed) return resolve();
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener("abort", wake, { once: true });
        arm();
      }),
    own: tell,
    close() {
      closed = true;
      clearTimeout(timer);
      tell();
    },
  };
}
