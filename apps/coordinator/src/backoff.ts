/** Pauses that double, with jitter, so that those who wait together do not come back together. */
import type { Clock, Ids } from "@greco/ports";

export type Pauses = { readonly minMs: number; readonly maxMs: number };

export function pauseMs({ minMs, maxMs }: Pauses, attempt: number, ids: Pick<Ids, "random">): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return full * (0.5 + ids.random() / 2);
}

/** Repeats `work` until it succeeds or the signal aborts; `onFailure` hears each failure. */
export async function untilDone<T>(
  work: () => Promise<T>,
  {
    clock,
    ids,
    pauses,
    signal,
    onFailure,
  }: {
    readonly clock: Clock;
    readonly ids: Ids;
    readonly pauses: Pauses;
    readonly signal: AbortSignal;
    readonly onFailure: (error: unknown) => void;
  },
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw error;
      onFailure(error);
      await clock.sleep(pauseMs(pauses, attempt, ids), signal);
    }
  }
}
