/** Limits of a runtime, each with the reason for its value. All can be given otherwise by `runLanes`. */
export type RuntimeLimits = {
  /** Inputs of one unit that were read and are not yet durable. Deep enough to hide a commit of the store. */
  readonly windowEntries: number;
  /** Their payloads. With `windowEntries`, what one unit may hold in memory. */
  readonly windowBytes: number;
  /** Payloads held by all units of a runtime together: what a thousand lanes may not multiply. */
  readonly runtimeBytes: number;
  /** Inputs of one call at most: enough that handing it over costs little beside the work. */
  readonly callEntries: number;
  /** Payloads of one call. */
  readonly callBytes: number;
  /** Calls of one unit under way at once: one works while the next waits at the host's door. */
  readonly unitCalls: number;
  /** Calls of one query under way in one runtime, over all its lanes: a slow one may not take every place. */
  readonly queryCalls: number;
  /** Outputs of one input, in bytes over all; they are one append, and a store's append is bounded. */
  readonly outputBytes: number;
  /** Outputs of one input, for the same reason. */
  readonly outputEntries: number;
  /** First pause before another attempt; doubles with each. */
  readonly retryMs: number;
  readonly retryMaxMs: number;
  /** How often a lane is looked at when nothing wakes; with many idle lanes, what a runtime asks of the store. */
  readonly pollMs: number;
  /** How often a held lane asks again for what it lacks (I12). */
  readonly holdRetryMs: number;
  /** What is missing is asked of the control plane with this pause, doubled each time; a repair takes about as long. */
  readonly coldBootMs: number;
  /** How late it may be that a control plane which is back hears of it. */
  readonly coldBootMaxMs: number;
  readonly coldBootDeadlineMs: number;
  /** How long a checkpoint may be behind: what a takeover does again of inputs without output. */
  readonly checkpointMs: number;
  /** How often a unit that does not go on asks for orders by hand. */
  readonly ordersMs: number;
  /** How often lanes, claims and members are looked at when nothing wakes. */
  readonly scanMs: number;
  /** Units claimed in one scan: a runtime that comes first to an empty house leaves some to the others. */
  readonly claimsAScan: number;
  /** Units given up to another member in one scan: each is a pause of a lane. */
  readonly movesAScan: number;
  /** A unit is not given up before it was held this long: moving costs a derived lane. */
  readonly holdMinMs: number;
  /** How long a drained stop waits for what is under way. */
  readonly drainMs: number;
  /** A program that nothing needs is kept this long: a lagging lane may come to it again. */
  readonly programLingerMs: number;
};

export const RUNTIME_LIMITS: RuntimeLimits = {
  windowEntries: 2_048,
  windowBytes: 8 * 1024 * 1024,
  runtimeBytes: 128 * 1024 * 1024,
  callEntries: 256,
  callBytes: 1024 * 1024,
  unitCalls: 3,
  queryCalls: 8,
  outputBytes: 4 * 1024 * 1024,
  outputEntries: 1_000,
  retryMs: 100,
  retryMaxMs: 10_000,
  pollMs: 200,
  holdRetryMs: 500,
  coldBootMs: 1_000,
  coldBootMaxMs: 15_000,
  coldBootDeadlineMs: 10_000,
  checkpointMs: 1_000,
  ordersMs: 1_000,
  scanMs: 1_000,
  claimsAScan: 64,
  movesAScan: 4,
  holdMinMs: 5_000,
  drainMs: 10_000,
  programLingerMs: 30_000,
};
