export type { Random } from "./random.ts";
export { seededRandom } from "./random.ts";
export type { SimulatedClock } from "./simulated-clock.ts";
export { simulatedClock } from "./simulated-clock.ts";
export { simulatedIds } from "./simulated-ids.ts";
