export { INGRESS_LIMITS } from "./limits.ts";
export type { IngressLimits } from "./limits.ts";
export type { IngressDependencies, IngressOptions } from "./options.ts";
export { startIngress } from "./start-ingress.ts";
export type { RunningIngress } from "./start-ingress.ts";
