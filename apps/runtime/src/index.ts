export { coldBootBy } from "./cold-boot.ts";
export { RUNTIME_APP_LIMITS } from "./limits.ts";
export type { RuntimeDependencies, RuntimeOptions } from "./options.ts";
export { startRuntime } from "./start-runtime.ts";
export type { RunningRuntime } from "./start-runtime.ts";
