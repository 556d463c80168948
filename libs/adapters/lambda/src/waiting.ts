/** What waits, and who gives it up. */

/** All of them; the first that fails ends the others, and it has ended them when this rejects. */
export async function together<T>(
  items: readonly T[],
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signals: readonly AbortSignal[],
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([...signals, failed.signal]);
  await Promise.allSettled(
    items.map(async (item) => {
      try {
        await work(item, signal);
      } catch (error) {
        failed.abort(error);
      }
    }),
  );
  signal.throwIfAborted();
}

/** Rejects with the signal's reason; the promise goes on. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
