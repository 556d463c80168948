/** What bounds the host, and why. */
export type WorkerHostLimits = {
  /** Messages and bytes of one batch to a worker: enough to make the crossing cheap, few enough to share it out. */
  readonly batchMessages: number;
  readonly batchBytes: number;
  /** Batches at a worker at once: one at work, one waiting, so that it never idles for an answer. */
  readonly batchesInFlight: number;
  /** Threads for handlers: one for each program, until there are so many; then programs share. */
  readonly handlerThreads: number;
  /** Calls of handlers at one thread at once; they wait for the outside most of the time. */
  readonly handlerConcurrency: number;
  /** A module's top level, or the compiling of a program, may take so long. */
  readonly loadTimeoutMs: number;
  /** Beyond its own limit a call gets this long before its thread is ended: a busy machine is not its fault. */
  readonly graceMs: number;
  /** Heap of one worker. Buffers are not part of it. */
  readonly heapMb: number;
  /** Outputs of one input stand in one append. */
  readonly outputsMax: number;
  readonly outputBytesMax: number;
};

export const defaultLimits: WorkerHostLimits = {
  batchMessages: 1_024,
  batchBytes: 256 * 1024,
  batchesInFlight: 2,
  handlerThreads: 16,
  handlerConcurrency: 32,
  loadTimeoutMs: 10_000,
  graceMs: 50,
  heapMb: 256,
  outputsMax: 1_000,
  outputBytesMax: 1024 * 1024,
};

/** A call whose worker died so often, and never by its own fault as far as can be told, is given up. */
export const deathsMax = 3;
