/** How long to wait before the next attempt: doubling, jittered, bounded; what the server asks for comes first. */
import { GrecoError } from "./error.ts";
import { jittered, sleep } from "./time.ts";

export type BackoffOptions = {
  readonly initialMs: number;
  readonly maxMs: number;
};

export const DEFAULT_BACKOFF: BackoffOptions = { initialMs: 100, maxMs: 5_000 };

export type Backoff = {
  /** Waits before the attempt that follows this failure; rejects with the signal's reason. */
  wait(failure: unknown, signal: AbortSignal): Promise<void>;
  /** An attempt went well: the next failure starts anew. */
  reset(): void;
};

export function createBackoff({ initialMs, maxMs }: BackoffOptions): Backoff {
  let nextMs = initialMs;
  return {
    async wait(failure, signal) {
      const asked = failure instanceof GrecoError ? failure.retryAfterMs : undefined;
      const waitMs = asked ?? jittered(nextMs);
      nextMs = Math.min(maxMs, nextMs * 2);
      await sleep(waitMs, signal);
    },
    reset() {
      nextMs = initialMs;
    },
  };
}
