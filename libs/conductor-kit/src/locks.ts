/**
 * K4: undo, retire and prepare of one A are serialised. A holder takes all its names at once and waits
 * holding nothing, so that two never wait for each other.
 */
export class KeyedLocks {
  readonly #held = new Set<string>();
  #waiting: { readonly names: readonly string[]; readonly take: () => void }[] = [];

  /** Resolves when all `names` are held; disposing gives them back. Rejects with the signal's reason. */
  async acquire(names: readonly string[], signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const wanted = [...new Set(names)];
    if (!this.#take(wanted)) await this.#wait(wanted, signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        for (const name of wanted) this.#held.delete(name);
        this.#wake();
      },
    };
  }

  #take(names: readonly string[]): boolean {
    if (names.some((name) => this.#held.has(name))) return false;
    for (const name of names) this.#held.add(name);
    return true;
  }

  #wait(names: readonly string[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = {
        names,
        take: () => {
          signal.removeEventListener("abort", aborted);
          resolve();
        },
      };
      const aborted = (): void => {
        this.#waiting = this.#waiting.filter((each) => each !== waiter);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", aborted, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #wake(): void {
    this.#waiting = this.#waiting.filter((waiter) => {
      if (!this.#take(waiter.names)) return true;
      waiter.take();
      return false;
    });
  }
}
