export { workerConductor } from "./conductor.ts";
export { startConductorWorker } from "./start.ts";
