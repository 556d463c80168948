export { lambdaSettings, openFunctionHost } from "./lambda.ts";
export type { FunctionHostParts, LambdaConfig } from "./lambda.ts";
export { openEngines } from "./open-engines.ts";
export type { EngineParts } from "./open-engines.ts";
export type { PortName, Ports } from "./ports.ts";
export { engineSettings } from "./settings.ts";
export type { EngineConfig, EngineSettings } from "./settings.ts";
