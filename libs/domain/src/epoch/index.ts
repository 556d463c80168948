export type {
  DeadLetterPayload,
  LambdaContent,
  QueryContent,
  StreamContent,
  TableContent,
} from "./content.ts";
export { BUILT_IN_STREAMS, EpochIndex } from "./epoch-index.ts";
export type { BindingRef, FoldedBindings } from "./epoch-index.ts";
export { configHashOf } from "./function-settings.ts";
export type { FunctionSettings } from "./function-settings.ts";
export type { Binding, ChangedBinding, LedgerEntry } from "./ledger.ts";
export { programAt } from "./program.ts";
export type { ProgramBindings } from "./program.ts";
export { readRanges } from "./read-ranges.ts";
export type { ReadRange } from "./read-ranges.ts";
