/** How long the phases may last, and how what bounds them is counted. */
export type CommitLimits = {
  /** In the queue, behind other proposals and armed ones. */
  readonly queueMs: number;
  /** From the announcement of review to the last vote. */
  readonly reviewMs: number;
  /** Prepare: at least, and at most, whatever the plans say. */
  readonly prepareMinMs: number;
  readonly prepareMaxMs: number;
  /** For the registry to promote once all are ready. */
  readonly promoteMs: number;
  /** How often what is left is rewritten; also what a restart and a jump of the clock cost. */
  readonly intervalMs: number;
};

export const COMMIT_LIMITS: CommitLimits = {
  // A release in the queue for longer was overtaken by another head anyway.
  queueMs: 60 * 60_000,
  // Reviews read and compile; they create nothing.
  reviewMs: 60_000,
  // Clouds take minutes to create what they call a resource.
  prepareMinMs: 60_000,
  prepareMaxMs: 30 * 60_000,
  promoteMs: 60_000,
  intervalMs: 5_000,
};

/** Plans are estimates: their longest, doubled, within the bounds. */
export function prepareDeadlineMs(limits: CommitLimits, plannedMs: readonly number[]): number {
  const planned = 2 * Math.max(0, ...plannedMs.map((each) => (Number.isFinite(each) ? each : 0)));
  return Math.min(limits.prepareMaxMs, Math.max(limits.prepareMinMs, planned));
}

/**
 * Live time since the last count, from a monotonic clock. A clock that stood still, or jumped, costs one
 * interval at most, and never gives time back.
 */
export function elapsedMs(limits: CommitLimits, sinceMs: number, nowMs: number): number {
  return Math.min(limits.intervalMs, Math.max(0, nowMs - sinceMs));
}
