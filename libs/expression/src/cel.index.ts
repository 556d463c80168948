/** CEL alone, for workers, which start in half the time without the rest. */
export { checkCel } from "./cel-check.ts";
export type { CelCheck, CelExpectation, CelFinding, CelFindingReason } from "./cel-check.ts";
export { createCelEnvironment } from "./cel-environment.ts";
export type { CelEnvironment, CelVariables } from "./cel-environment.ts";
export { CelCompileError, CelError, compileCel } from "./cel.ts";
export type { CelErrorReason, CompiledCel } from "./cel.ts";
