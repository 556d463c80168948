/** Waiting for a hint or a time, whichever comes first; and telling passing trouble of a store from other errors. */
import type { Clock, Ids } from "@greco/ports";
import { StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { RETRY } from "./limits.ts";

/** Aborting without a reason would make one, with a stack, at each hint. */
const HINTED = new Error("hinted");

/** A hint is kept until somebody waits, so none is missed between two turns. */
export class Hint {
  #hinted = false;
  #wake: (() => void) | undefined;

  give(): void {
    this.#hinted = true;
    this.#wake?.();
  }

  /** Resolves at the next hint (one that came since the last call counts), or after `ms`. */
  async next(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#hinted) await this.#sleep(clock, ms, signal);
    this.#hinted = false;
    this.#wake = undefined;
  }

  async #sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    const early = new AbortController();
    const stop = (): void => early.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    this.#wake = () => early.abort(HINTED);
    try {
      await clock.sleep(ms, early.signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!early.signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

/** The store may do it at the next attempt. Everything else is a mistake, or an answer. */
export function isPassing(error: unknown): boolean {
  return error instanceof StoreUnavailableError || error instanceof StoreUnknownError;
}

/** Waits longer each time; a little chance keeps many from coming back at once. */
export class Backoff {
  #nextMs: number = RETRY.firstMs;
  readonly #clock: Clock;
  readonly #chance: () => number;

  constructor(clock: Clock, ids: Pick<Ids, "random"> | undefined) {
    this.#clock = clock;
    this.#chance = () => ids?.random() ?? 1;
  }

  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.#nextMs * (0.5 + this.#chance() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, RETRY.lastMs);
    await this.#clock.sleep(ms, signal);
  }
}

/** Repeats an idempotent call for as long as the store's trouble is a passing one. */
export async function persist<T>(
  call: () => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
  ids?: Pick<Ids, "random">,
): Promise<T> {
  const backoff = new Backoff(clock, ids);
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
      await backoff.wait(signal);
    }
  }
}
