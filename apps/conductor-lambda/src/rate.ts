/**
 * Tokens that come at a steady rate, for whoever asked first: those whose candidate waits before those who have time,
 * who get every fourth turn all the same. And pauses with full jitter.
 */
import type { Clock, Ids } from "@greco/ports";

type Waiter = { readonly give: () => void };

export type Urgency = "first" | "later";

/** So that nobody waits for ever. */
const LATER_EVERY = 4;

export class TokenBucket {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  readonly #waiters: Record<Urgency, Waiter[]> = { first: [], later: [] };
  #turns = 0;
  /** Ends the pump's sleep when nobody waits any more. */
  #pumping: AbortController | undefined;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#intervalMs = 1_000 / perSecond;
  }

  get waiting(): number {
    return this.#waiters.first.length + this.#waiters.later.length;
  }

  /** Resolves when it is the caller's turn. Who gives up gives his turn to the next. */
  async take(urgency: Urgency, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = this.#clock.monotonicMs();
    if (this.waiting === 0 && now >= this.#nextAtMs) {
      this.#nextAtMs = now + this.#intervalMs;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { give: resolve };
    const aborted = (): void => {
      this.#waiters[urgency] = this.#waiters[urgency].filter((each) => each !== waiter);
      if (this.waiting === 0) this.#pumping?.abort();
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", aborted, { once: true });
    this.#waiters[urgency].push(waiter);
    if (this.#pumping === undefined) void this.#pump();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", aborted);
    }
  }

  async #pump(): Promise<void> {
    const ending = new AbortController();
    this.#pumping = ending;
    while (this.waiting > 0) {
      const waitMs = this.#nextAtMs - this.#clock.monotonicMs();
      if (waitMs > 0) await this.#clock.sleep(waitMs, ending.signal).catch(() => undefined);
      if (ending.signal.aborted) break;
      const next = this.#next();
      if (next === undefined) break;
      this.#nextAtMs =
        Math.max(this.#nextAtMs, this.#clock.monotonicMs() - this.#intervalMs) + this.#intervalMs;
      next.give();
    }
    this.#pumping = undefined;
    // Who came while the sleep was being ended.
    if (this.waiting > 0) void this.#pump();
  }

  #next(): Waiter | undefined {
    const { first, later } = this.#waiters;
    this.#turns += 1;
    if (later.length > 0 && (first.length === 0 || this.#turns % LATER_EVERY === 0)) return later.shift();
    return first.shift();
  }
}

/** Full jitter (AWS's own advice): what was refused together does not come back together. */
export function jitteredMs(
  { minMs, maxMs }: { readonly minMs: number; readonly maxMs: number },
  attempt: number,
  ids: Pick<Ids, "random">,
): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30)) * ids.random();
}
