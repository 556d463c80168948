/**
 * Time, chance and identifiers as ports (STYLE 12): a simulation runs the same code on its own clock.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970. For people and records; never for a lease. */
  nowMs(): number;
  /** Monotonic clock, milliseconds. Leases and deadlines are counted on it (R2). */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. Leaves no timer behind. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface Ids {
  /** A new id that matches `[a-z0-9-]{1,63}`, unique for ever; sortable by time of making. */
  next(): string;
  /** Uniform in [0, 1), for jitter. */
  random(): number;
}
