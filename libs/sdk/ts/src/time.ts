/** The SDK runs in programs that know nothing of Greco's ports, so here it reads the machine's clock and chance. */
/* eslint-disable no-restricted-properties, no-restricted-imports -- see above */
import { setTimeout as wait } from "node:timers/promises";

/** The moment `ms` from now, as gRPC wants a deadline. */
export function deadlineIn(ms: number): Date {
  return new Date(Date.now() + ms);
}

export function isPast(deadline: Date): boolean {
  return deadline.getTime() <= Date.now();
}

export function monotonicMs(): number {
  return performance.now();
}

/** Rejects with the signal's reason. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Between half of `ms` and `ms`, so that clients that failed together do not come back together. */
export function jittered(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
