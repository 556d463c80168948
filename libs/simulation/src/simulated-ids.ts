/** Ids from a seed: `sim-<seed>-000001` …, which sort by the order of their making. */
import type { Ids } from "@greco/ports";
import { seededRandom } from "./random.ts";

export function simulatedIds(seed = 1): Ids {
  const random = seededRandom(seed);
  const prefix = `sim-${(seed >>> 0).toString(36)}`;
  let made = 0;
  return {
    next: () => `${prefix}-${String(++made).padStart(8, "0")}`,
    random: random.next,
  };
}
