/** Work that goes on beside its starter. Whoever owns the group waits for all of it; a failure ends the group. */
export class TaskGroup {
  readonly #running = new Set<Promise<void>>();
  readonly #failed: (error: unknown) => void;

  /** `failed` hears of the first error of every task that does not handle its own. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  start(work: () => Promise<void>): void {
    const task = work()
      .catch(this.#failed)
      .finally(() => this.#running.delete(task));
    this.#running.add(task);
  }

  /** Resolves when nothing runs any more, also nothing that was started meanwhile. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
