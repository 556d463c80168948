/** So many at once, the others in the order in which they came. */
export class Places {
  /** May be changed at any time; who is in stays. */
  limit: number;
  #taken = 0;
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Rejects with the signal's reason; then nothing is to be left. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#taken < this.limit) {
      this.#taken += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => {
      this.#waiting.delete(resolve);
      reject(signal.reason as Error);
    };
    this.#waiting.add(resolve);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  leave(): void {
    this.#taken -= 1;
    for (const next of this.#waiting) {
      if (this.#taken >= this.limit) return;
      this.#waiting.delete(next);
      this.#taken += 1;
      next();
    }
  }
}
