export { createStreamsConductor } from "./conductor.ts";
export type { StreamsDependencies } from "./conductor.ts";
export { startConductorStreams } from "./start.ts";
