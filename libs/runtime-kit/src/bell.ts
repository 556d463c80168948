/** Wakes whoever waits. Check first, then wait in the same turn of the event loop, and no ring is missed. */
export class Bell {
  #waiting: (() => void)[] = [];

  ring(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves at the next ring, or rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.push(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    return promise;
  }
}
