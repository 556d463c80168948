export { createWorkerConductor } from "./conductor.ts";
export type { WorkerDependencies } from "./conductor.ts";
export { startConductorWorker } from "./start.ts";
