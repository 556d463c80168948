/** Reads of the region, repeated while the trouble may pass. */
import type { Workshop } from "./make-function.ts";
import { jitteredMs } from "./rate.ts";
import { RegionError } from "./region.ts";

export const mayPass = (error: unknown): boolean =>
  error instanceof RegionError && ["throttled", "unavailable", "unknown", "conflict"].includes(error.kind);

/** Until the signal aborts; what is denied or refused rejects at once. */
export async function persist<T>(
  { clock, ids, limits }: Pick<Workshop, "clock" | "ids" | "limits">,
  read: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { backoffMinMs: minMs, backoffMaxMs: maxMs } = limits;
  for (let attempt = 0; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      await clock.sleep(jitteredMs({ minMs, maxMs }, attempt, ids), signal);
    }
  }
}
