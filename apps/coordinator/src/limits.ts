/** Limits of a coordinator, each with the reason for its value. All can be set for tests. */
import { COMMIT_LIMITS, type CommitLimits } from "@greco/domain/commit";

export type CoordinatorLimits = CommitLimits & {
  /** Who drives: another replica takes over at most this long after the driver's last sign of life. */
  readonly driverLeaseMs: number;
  /** How often what is due is looked for: deadlines, reminders, what is to be written down. */
  readonly pulseMs: number;
  /** Open work is announced again after the first, then doubled up to the second. */
  readonly remindMinMs: number;
  readonly remindMaxMs: number;
  /** Votes are shown to watchers after at most this long, in one write for all that came meanwhile. */
  readonly flushMs: number;
  /** Pauses between attempts at what must not fail. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A revert, or a join, that was aborted is tried again after this, doubled up to an hour's sixth. */
  readonly againMinMs: number;
  readonly againMaxMs: number;
  /** Models are announced on `_models` this often, for conductors that missed it. */
  readonly announceModelsMs: number;
  readonly planTimeoutMs: number;
  readonly planTimeoutMaxMs: number;
  /** Differences that a plan shows; more is for a diff. */
  readonly planDifferencesMax: number;
  /** How long conductors are waited for that look outside: a call to a cloud for each of hundreds of objects. */
  readonly inspectTimeoutMs: number;
  /** The same where they put back what differs: as long as it takes to make it anew. */
  readonly mendTimeoutMs: number;
  readonly inspectTimeoutMaxMs: number;
  /**
   * Inspections and mends of one model that are open at a replica: each may cost a conductor hundreds of calls to
   * its cloud, whose rate is shared with prepares, and whoever may view can ask for one.
   */
  readonly inspectionsMax: number;
  /** The longest time that a commit may wait for its confirmation: so long no other is taken. */
  readonly confirmWithinMaxMs: number;
  /** Payload of one chunk of the control log, below its limit, with room for the envelope. */
  readonly chunkBytes: number;
  /** A value of the store, below the limit of one transaction. */
  readonly partBytes: number;
  /** Candidates' changes that are kept in memory between announcements; larger ones are read again. */
  readonly candidatesCachedBytes: number;
  /** The same binding is asked of the conductors no more often: about as long as they take to make one again. */
  readonly repairEveryMs: number;
  /**
   * Bindings of one model that are asked for within that time: a store that was lost as a whole is filled again at
   * this pace, and a runtime's token cannot flood the control log.
   */
  readonly repairsMax: number;
  /** For an answer that waits in the store for the driver. */
  readonly answerTtlMs: number;
  /** When a conductor was last heard is written down no more often than this. */
  readonly heardMs: number;
  readonly pageSizeDefault: number;
  readonly pageSizeMax: number;
};

export const COORDINATOR_LIMITS: CoordinatorLimits = {
  ...COMMIT_LIMITS,
  driverLeaseMs: 10_000,
  pulseMs: 100,
  remindMinMs: 1_000,
  remindMaxMs: 30_000,
  flushMs: 250,
  backoffMinMs: 50,
  backoffMaxMs: 5_000,
  againMinMs: 1_000,
  againMaxMs: 600_000,
  announceModelsMs: 60_000,
  planTimeoutMs: 30_000,
  planTimeoutMaxMs: 300_000,
  planDifferencesMax: 1_000,
  inspectTimeoutMs: 60_000,
  mendTimeoutMs: 300_000,
  inspectTimeoutMaxMs: 900_000,
  inspectionsMax: 4,
  confirmWithinMaxMs: 7 * 24 * 3_600_000,
  chunkBytes: 900_000,
  partBytes: 1_000_000,
  candidatesCachedBytes: 8 * 1024 * 1024,
  repairEveryMs: 5_000,
  repairsMax: 1_000,
  answerTtlMs: 60_000,
  heardMs: 60_000,
  pageSizeDefault: 50,
  pageSizeMax: 200,
};

/**
 * An answer is one message: a conductor that claims 100 000 entities, or is ready with as many bindings (the
 * contract's most), names each with a hash, some 200 bytes apiece; plan and envelope need little beside.
 */
export const ANSWER_BYTES_MAX: number = 32 * 1024 * 1024;
