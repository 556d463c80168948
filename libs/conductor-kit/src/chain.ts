/**
 * Keeps the view at the head: every commit is announced as a chain (§4.2). A commit that comes before its
 * predecessor waits for it; where the chain broke, a snapshot from the registry takes its place. A review
 * gets the view that is equal to its candidate's base, or none.
 */
import type { View, ViewChange } from "./view.ts";

export type Committed = { readonly version: number; readonly changes: readonly ViewChange[] };

export type ChainOptions = {
  /** The model at exactly a version, or at a head that is at least one. */
  readonly snapshot: (
    at: { readonly version: number } | { readonly atLeast: number },
    signal: AbortSignal,
  ) => Promise<View>;
  readonly aheadMax: number;
  /** Ends a snapshot that several wait for. */
  readonly signal: AbortSignal;
};

export class Chain {
  readonly #options: ChainOptions;
  #view: View | undefined;
  readonly #ahead = new Map<number, Committed>();
  #catchingUp: Promise<void> | undefined;

  constructor(options: ChainOptions) {
    this.#options = options;
  }

  /** -1: nothing seen yet. */
  get version(): number {
    return this.#view?.version ?? -1;
  }

  /** A commit was announced; any order, any number of times. */
  announce(committed: Committed): void {
    if (committed.version <= this.version) return;
    // Bounded: what does not fit is read again with the snapshot that the gap needs anyway.
    if (this.#ahead.size < this.#options.aheadMax) this.#ahead.set(committed.version, committed);
    this.#advance();
  }

  /** The view at `version`; undefined when the head is beyond it. Rejects when the registry cannot be asked. */
  async at(version: number, signal: AbortSignal): Promise<View | undefined> {
    while (this.version < version) {
      signal.throwIfAborted();
      await abortable(this.catchUp(version), signal);
    }
    return this.#view?.version === version ? this.#view : undefined;
  }

  /** The view at a version below the head, for a plan on an older base. Kept by nobody. */
  older(version: number, signal: AbortSignal): Promise<View> {
    return this.#options.snapshot({ version }, signal);
  }

  /** Takes a snapshot of the head and goes on from there. One at a time, for whoever waits. */
  catchUp(atLeast: number): Promise<void> {
    this.#catchingUp ??= this.#replace(atLeast).finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  async #replace(atLeast: number): Promise<void> {
    const view = await this.#options.snapshot({ atLeast }, this.#options.signal);
    if (view.version > this.version) this.#view = view;
    this.#advance();
  }

  #advance(): void {
    for (const version of this.#ahead.keys()) if (version <= this.version) this.#ahead.delete(version);
    for (;;) {
      const next = this.#view === undefined ? undefined : this.#ahead.get(this.#view.version + 1);
      if (next === undefined || this.#view === undefined) return;
      this.#ahead.delete(next.version);
      this.#view = this.#view.with(next.changes);
    }
  }
}

/** The snapshot goes on for others. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
