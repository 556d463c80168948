/** One kill -9 for all models of a round: each is held at its own call, and when the last has come there, it happens. */
export class Kill {
  readonly #run: () => Promise<void>;
  #awaited: number;
  readonly #killed = Promise.withResolvers<void>();
  readonly #restarted: Promise<void>;

  /** `run` resolves when the process is gone, `restart` when the next one has started. */
  constructor(parties: number, run: () => Promise<void>, restart: () => Promise<void>) {
    this.#awaited = parties;
    this.#run = run;
    this.#restarted = this.#killed.promise.then(restart);
    // Told to whoever waits for it.
    this.#restarted.catch(() => undefined);
  }

  /** Resolves when it has happened. */
  async arrive(): Promise<void> {
    this.leave();
    await this.#killed.promise;
  }

  /** One that is never going to come. */
  leave(): void {
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#run().then(this.#killed.resolve, this.#killed.reject);
  }

  /** Resolves when the next process has started. */
  get restarted(): Promise<void> {
    return this.#restarted;
  }
}
