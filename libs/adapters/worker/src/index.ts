export type { HandlerContext } from "./handler-program.ts";
export { createWorkerFunctionHost } from "./host.ts";
export type { WorkerFunctionHostOptions } from "./host.ts";
export { defaultLimits } from "./limits.ts";
export type { WorkerHostLimits } from "./limits.ts";
