/** Work on things of one name in series, and on things of different names side by side, but not too many. */

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Begins when all earlier work on `name` has ended, however it ended. */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const mine = (async () => {
      await before?.catch(() => undefined);
      return work();
    })();
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}

/**
 * Results in the order of `items`. The first failure aborts the others' signal; K3: it settles only when none of
 * them is under way any more, and then rejects with all that failed by itself.
 */
export async function sideBySide<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal: AbortSignal,
): Promise<readonly R[]> {
  const failing = new AbortController();
  const over = AbortSignal.any([failing.signal, signal]);
  const results: R[] = [];
  const errors: unknown[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && !over.aborted) {
      const at = next++;
      try {
        results[at] = await work(items[at] as T, over);
      } catch (error) {
        // What only ended because another failed has nothing to tell.
        if (error !== STOPPED) errors.push(error);
        failing.abort(STOPPED);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} of ${items.length} failed`);
  signal.throwIfAborted();
  return results;
}

/** Why the others of a failed one end. */
export const STOPPED = new Error("another one beside it has failed");
