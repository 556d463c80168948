/** Pauses that double, with jitter, so that what was refused together does not come back together. */
import type { Clock, Ids } from "@greco/ports";

export type Backoff = {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly minMs: number;
  readonly maxMs: number;
};

/** Calls `work` until it resolves. Rejects only when the signal aborts, or when `final` says that it is no use. */
export async function untilDone<T>(
  backoff: Backoff,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  failed: (error: unknown, attempt: number) => "again" | "final",
): Promise<T> {
  let pauseMs = backoff.minMs;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await work(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (failed(error, attempt) === "final") throw error;
    }
    await backoff.clock.sleep(pauseMs * (0.5 + backoff.ids.random() / 2), signal);
    pauseMs = Math.min(backoff.maxMs, pauseMs * 2);
  }
}
