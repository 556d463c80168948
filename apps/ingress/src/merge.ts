/**
 * Many sources into one stream that is read at its reader's pace: what is buffered is bounded over all of them, and a
 * reader who stops reading stops the sources, and nobody else.
 */
import { Hint } from "@greco/lane-kit";
import type { Clock } from "@greco/ports";

export class Merge<T> {
  readonly #clock: Clock;
  readonly #weightMax: number;
  readonly #items: { readonly item: T; readonly weight: number }[] = [];
  readonly #filled = new Hint();
  #roomy = Promise.withResolvers<void>();
  #weight = 0;
  #error: { readonly error: unknown } | undefined;
  #ended = false;

  constructor(clock: Clock, weightMax: number) {
    this.#clock = clock;
    this.#weightMax = weightMax;
  }

  /** Resolves when the item is taken in: at once while there is room. */
  async put(item: T, weight: number, signal: AbortSignal): Promise<void> {
    while (this.#weight > 0 && this.#weight + weight > this.#weightMax) {
      signal.throwIfAborted();
      await this.#roomy.promise;
    }
    signal.throwIfAborted();
    this.#items.push({ item, weight });
    this.#weight += weight;
    this.#filled.give();
  }

  /** After what is there: the end. */
  end(): void {
    this.#ended = true;
    this.#filled.give();
  }

  /** After what is there: the error. */
  fail(error: unknown): void {
    this.#error ??= { error };
    this.#filled.give();
  }

  /** Lets those who wait for room look at their signals. */
  stop(): void {
    this.#makeRoom();
  }

  /** Everything that is there now, at least one item; undefined: the end. */
  async take(signal: AbortSignal): Promise<readonly T[] | undefined> {
    for (;;) {
      const taken = this.#items.splice(0);
      if (taken.length > 0) {
        this.#weight = 0;
        this.#makeRoom();
        return taken.map(({ item }) => item);
      }
      if (this.#error !== undefined) throw this.#error.error;
      if (this.#ended) return undefined;
      await this.#filled.next(this.#clock, 60_000, signal);
    }
  }

  #makeRoom(): void {
    const roomy = this.#roomy;
    this.#roomy = Promise.withResolvers();
    roomy.resolve();
  }
}
