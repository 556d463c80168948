// Waiting for a level: a server that serves, a process that is gone.
import { setTimeout as sleep } from "node:timers/promises";

export type Wait = {
  /** For the error: "etcd to serve at 127.0.0.1:12379". */
  readonly what: string;
  readonly withinMs: number;
  readonly everyMs?: number;
  readonly signal: AbortSignal;
};

/** Resolves when `holds` does. What `holds` rejects with ends the wait. */
export async function until(
  holds: () => Promise<boolean> | boolean,
  { what, withinMs, everyMs = 25, signal }: Wait,
): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > withinMs) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await sleep(everyMs, undefined, { signal });
  }
}
