/** Waiting for news or for a moment, whichever comes first, again and again. */
import type { Clock } from "@greco/ports";
import type { News } from "./news.ts";

export type Waits = AsyncDisposable & {
  /** Resolves on news behind `seen`, about when `ms` (undefined: never) are over, or when the signal aborts; perhaps sooner. */
  newsOr(seen: number, ms: number | undefined): Promise<void>;
};

/**
 * The timer and the place in the row of waiters outlast a single wait: every commit wakes all who wait, and to set
 * both up and take both down each time would cost more than the look. Disposal leaves nothing behind.
 */
export function createWaits(news: News, clock: Clock, signal: AbortSignal): Waits {
  const over = new AbortController();
  const scope = AbortSignal.any([signal, over.signal]);
  let timer: Timer | undefined;
  let waiting: Promise<void> | undefined;
  const woken = (): void => {
    waiting = undefined;
  };
  const start = (ms: number, atMs: number): Timer => {
    const rung = (): void => {
      if (timer === started) timer = undefined;
    };
    // A sleep's only rejection is that of the signal, which the caller looks at.
    const started: Timer = { atMs, rings: clock.sleep(ms, scope).then(rung, rung) };
    return started;
  };
  return {
    async newsOr(seen, ms) {
      waiting ??= news.after(seen, scope).then(woken);
      if (ms !== undefined) {
        const leftMs = Math.max(0, ms);
        const atMs = clock.monotonicMs() + leftMs;
        // One that would ring too late is left to ring in vain.
        if (timer === undefined || atMs < timer.atMs - SLACK_MS) timer = start(leftMs, atMs);
      }
      await Promise.race(timer === undefined ? [waiting] : [waiting, timer.rings]);
    },
    async [Symbol.asyncDispose]() {
      over.abort(ended);
      await Promise.all([timer?.rings, waiting]);
    },
  };
}

type Timer = { readonly atMs: number; readonly rings: Promise<void> };

/** The same moment, worked out again, is no earlier one. */
const SLACK_MS = 5;

const ended = new Error("nobody waits any more");
