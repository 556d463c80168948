// A program without its threads: what another host runs in a process of its own (@greco/adapter-worker/program).
export { compileExpressions, failureOf as expressionFailure, unchanged } from "./expression-program.ts";
export type { ExpressionProgram } from "./expression-program.ts";
export { handlerFailure, timedOut } from "./handler-failure.ts";
export { describeError, importHandler, toPayloads } from "./handler-program.ts";
export type { HandlerInput, HandlerProgram, OutputLimits } from "./handler-program.ts";
export { defaultLimits } from "./limits.ts";
export { readProgram } from "./program.ts";
export type { ProgramSource } from "./program.ts";
export type { Failure } from "./protocol.ts";
