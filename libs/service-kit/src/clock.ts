/** The real clock, in one place (STYLE 12). */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "@greco/ports";

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};
