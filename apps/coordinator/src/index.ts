export { COORDINATOR_LIMITS } from "./limits.ts";
export type { CoordinatorLimits } from "./limits.ts";
export { startCoordinator } from "./start-coordinator.ts";
export type { CoordinatorDependencies, CoordinatorOptions, RunningCoordinator } from "./start-coordinator.ts";
