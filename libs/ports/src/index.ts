export type { BindingSnapshot, BindingStore, ConductorLease, JournalRecord } from "./binding-store.ts";
export { BindingConflictError, FencedError } from "./binding-store.ts";
export type { Clock, Ids } from "./clock.ts";
export type { ControlLog, LogMessage } from "./control-log.ts";
export { CONTROL_LOG_PAYLOAD_MAX } from "./control-log.ts";
export type {
  Compare,
  CpStore,
  KeyRange,
  KeyValue,
  LeaseId,
  Operation,
  RangeResult,
  ReadOptions,
  Transaction,
  TransactionResult,
  WatchBatch,
  WatchEvent,
} from "./cp-store.ts";
export {
  CompactedError,
  CP_STORE_LIMITS,
  LeaseGoneError,
  StoreLimitError,
  StoreUnavailableError,
  StoreUnknownError,
} from "./cp-store.ts";
export { checkKeyRange, checkTransaction } from "./cp-limits.ts";
export type { FunctionHost, Invocation, Outcome, Output, Program } from "./function-host.ts";
export { ProgramLoadError } from "./function-host.ts";
export type {
  Append,
  Checkpoint,
  Claim,
  DeadLetterOrder,
  LaneFilter,
  LaneRead,
  LaneRecord,
  LaneStore,
  Membership,
} from "./lane-store.ts";
export {
  BelowRetentionError,
  LaneConflictError,
  LaneUnknownError,
  LedgerConflictError,
} from "./lane-store.ts";
export type { Log } from "./log.ts";
export type { Counter, Histogram, Labels, Metrics, Sample } from "./metrics.ts";
export { noMetrics } from "./metrics.ts";
export type { Wake } from "./wake.ts";
export { wakeTopics } from "./wake.ts";
