/** Limits of a conductor, each with the reason for its value. All can be set for tests. */
export type ConductorLimits = {
  /** Lease of the conductor's incarnation: how long a paused process may go on after another took over. */
  readonly leaseMs: number;
  /**
   * K3: after a crash in the middle of a prepare, the longest that a request of the dead incarnation may
   * still land. Twice the lease: a zombie stops at its lease, and its store's own time-out is shorter.
   */
  readonly quietMs: number;
  /** First and longest pause between repeats of what must not fail (answers, release, undo, retire). */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A release or an undo that takes longer than this is shown as lagging. */
  readonly laggingMs: number;
  /** How long an author may review when the coordinator names no time. */
  readonly reviewMs: number;
  readonly prepareMs: number;
  /** New models are announced; this finds what an announcement missed. */
  readonly modelsMs: number;
  /** Commands under assembly, and their bytes: a forged stream of first pieces must not fill the memory. */
  readonly assembliesMax: number;
  readonly assemblyBytesMax: number;
  /** Journal entries behind the summary before the next one is written: bounds the start of a conductor. */
  readonly compactAfter: number;
  /** The same by size: a few votes on very large change sets should not wait for many small ones. */
  readonly compactAfterChars: number;
  /** Commits that arrive ahead of a missing one are kept up to this many; then a snapshot is taken. */
  readonly chainAheadMax: number;
  /** Bindings a call to the store: one page of a batch, far below what any store takes in one write. */
  readonly bindingBatch: number;
  /** Steps of a plan that are told; more is for a machine to count, not for a person to read. */
  readonly planStepsMax: number;
  /** Pause between looks for bindings that nothing needs any more. */
  readonly retireMs: number;
  /** Lease of the data plane's writers: R9 waits twice this long behind the floor. */
  readonly writerLeaseMs: number;
  /** How long a repair may take: a snapshot of the model, and what its author makes of it. */
  readonly repairMs: number;
  /** Bindings that wait for a repair; the coordinator asks for no more in the time of one. */
  readonly repairsMax: number;
  /** How long a look outside may take when the coordinator names no time. */
  readonly inspectMs: number;
  /** Between looks that nobody has asked for: hundreds of reads of a cloud, and what they find is seldom urgent. */
  readonly driftEveryMs: number;
  /** Looks outside that wait, and answers that are kept for repeats: callers are few, and each has its own. */
  readonly inspectionsMax: number;
  /** How long after its time a look that was asked for is still made: more than clocks of one deployment differ. */
  readonly inspectStaleMs: number;
  /** Differences, and entities that were left out, that are told; more is for a machine to count. */
  readonly driftsMax: number;
  /** Of each text of a difference: with the most of them it stays far below a message's size. */
  readonly driftTextChars: number;
  /** Least number of epochs between folded snapshots; reading so many ledger entries takes no time to speak of. */
  readonly snapshotEpochs: number;
};

export const CONDUCTOR_LIMITS: ConductorLimits = {
  leaseMs: 10_000,
  quietMs: 20_000,
  backoffMinMs: 50,
  backoffMaxMs: 5_000,
  laggingMs: 10_000,
  reviewMs: 30_000,
  prepareMs: 60_000,
  modelsMs: 30_000,
  assembliesMax: 64,
  assemblyBytesMax: 256 * 1024 * 1024,
  compactAfter: 512,
  compactAfterChars: 8 * 1024 * 1024,
  chainAheadMax: 64,
  bindingBatch: 500,
  planStepsMax: 1_000,
  retireMs: 5_000,
  writerLeaseMs: 5_000,
  repairMs: 60_000,
  repairsMax: 1_000,
  inspectMs: 60_000,
  driftEveryMs: 900_000,
  inspectionsMax: 8,
  inspectStaleMs: 300_000,
  driftsMax: 500,
  driftTextChars: 1_000,
  snapshotEpochs: 64,
};
