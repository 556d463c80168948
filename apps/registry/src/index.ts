export { REGISTRY_LIMITS } from "./limits.ts";
export type { RegistryLimits } from "./limits.ts";
export { startRegistry } from "./start-registry.ts";
export type { RegistryDependencies, RegistryOptions, RunningRegistry } from "./start-registry.ts";
