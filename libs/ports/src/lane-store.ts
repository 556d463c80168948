/**
 * The AP store of the data plane: lanes, writers' leases, the ledger, the floor, checkpoints,
 * runtimes' claims. Embedded | Cassandra (DESIGN §5, R1–R9).
 *
 * Strengths, as the Cassandra adapter will have them: appends and reads LOCAL_QUORUM; leases, lane
 * ends and claims LOCAL_SERIAL (compare-and-swap only); registration, ledger and floor at a quorum.
 * A call that rejects with `StoreUnknownError` may or may not have taken effect.
 */
import type { Entry, LaneId, LaneInfo, LaneState, Seq, WriterId, WriterLease } from "@greco/domain/lane";
import type { LedgerEntry } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";

export type LaneRecord = {
  readonly info: LaneInfo;
  readonly state: LaneState;
  /** Of another site's writer: it is worked on there, and read here as far as it has come (DESIGN §5). Absent: it is not. */
  readonly elsewhere?: true;
};

export type LaneFilter = {
  readonly stream?: EntityIdentity;
  /** Default false: only lanes without an end, or with an end that somebody has still to read. */
  readonly includeFinished?: boolean;
  /**
   * Default false: as this site knows them, which goes on while others are cut off. True: at a quorum of every site, so
   * that none is missed that anybody has registered (R9); `StoreUnavailableError` while one is cut off.
   */
  readonly everySite?: boolean;
};

/** Rows of one append stand or fall together; they are never spread over two buckets. */
export type Append = { readonly lane: LaneId; readonly entries: readonly Entry[] };

/** What one read saw, from one lane, in one moment. */
export type LaneRead = {
  readonly entries: readonly Entry[];
  /** Read *after* the entries (R2): what counts is decided by them together. */
  readonly state: LaneState;
  readonly lease: WriterLease | undefined;
};

/**
 * How far a query has come in an input lane: everything of the input up to `inputSeq` is done once
 * each output lane named here stands at least at its seq. It counts only if those are below the lanes'
 * ends, so a zombie's checkpoint can do no harm.
 */
export type Checkpoint = {
  readonly query: EntityIdentity;
  readonly inputLane: LaneId;
  readonly inputSeq: Seq;
  readonly inputEpoch: Epoch;
  readonly outputs: readonly { readonly lane: LaneId; readonly seq: Seq }[];
  /** The writer that wrote it: one row a writer. */
  readonly writer: WriterId;
  /** Why the query does not go on here, for people: `BINDING_MISSING: …` (I12). Absent: it goes on. */
  readonly holding?: string;
};

/** Who works on a query's input lane. Changed by compare-and-swap on `generation` only. */
export type Claim = {
  readonly query: EntityIdentity;
  readonly inputLane: LaneId;
  /** Whose lease tells whether somebody works on it, and whose lanes are sealed before it is taken over. */
  readonly writer: WriterId;
  /** Empty: given up gracefully, its lanes have their ends; anyone may take it at once. */
  readonly runtime: string;
  readonly generation: number;
  /** Set once the query has done all of the lane that it ever will. */
  readonly done: boolean;
};

/** By hand: this query gives this position up (§5 Runtime). */
export type DeadLetterOrder = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  readonly seq: Seq;
  readonly actor: string;
  readonly reason: string;
};

export type Membership = {
  readonly runtime: string;
  readonly count: number;
  /** At another site: the work of this one is not shared with it. Absent: it is not. */
  readonly elsewhere?: true;
};

export interface LaneStore extends AsyncDisposable {
  // ---- lanes
  /** At a quorum, before its writer reads the ledger (R3). Repeating it with the same info is no error, with another a `LaneConflictError`. */
  registerLane(info: LaneInfo, signal: AbortSignal): Promise<void>;
  getLane(model: ModelId, lane: LaneId, signal: AbortSignal): Promise<LaneRecord | undefined>;
  /** At a quorum; sorted by id. */
  listLanes(model: ModelId, filter: LaneFilter, signal: AbortSignal): Promise<readonly LaneRecord[]>;
  /** Takes a finished lane out of the index of live ones; its rows stay until their retention ends. */
  finishLane(model: ModelId, lane: LaneId, signal: AbortSignal): Promise<void>;
  /**
   * Plain, idempotent inserts by explicit seq, durable when it resolves; one lane's appends in one call
   * are atomic. No compare-and-swap in the message path. Never with two contents for one seq (R1): the
   * first stands; a store that notices the second rejects it with `LaneConflictError`.
   */
  append(model: ModelId, appends: readonly Append[], signal: AbortSignal): Promise<void>;
  /**
   * At most `limit` entries from `fromSeq` on, gapless from there: it stops before the first missing one,
   * and may stop earlier where the entries are large (at least one comes if there is one). Below the first
   * retained seq: `BelowRetentionError`. `LaneUnknownError` where it was never registered.
   */
  read(model: ModelId, lane: LaneId, fromSeq: Seq, limit: number, signal: AbortSignal): Promise<LaneRead>;
  /** The last seq before the first gap, strongly read (seal). 0: none. */
  tail(model: ModelId, lane: LaneId, signal: AbortSignal): Promise<Seq>;
  /** The lane's newest retained entries, newest first, at or below `atMost`, gaps or not. */
  readBackwards(
    model: ModelId,
    lane: LaneId,
    atMost: Seq,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly Entry[]>;
  /** Asks the live writer to end the lane (R5). */
  requestClose(model: ModelId, lane: LaneId, signal: AbortSignal): Promise<void>;
  /** Compare-and-swap: sets the end if there is none; returns the end that stands. */
  endLane(model: ModelId, lane: LaneId, end: Seq, signal: AbortSignal): Promise<Seq>;
  /** Drops what is past its retention and below every need; returns the number of rows dropped. */
  trim(model: ModelId, lane: LaneId, firstRetained: Seq, signal: AbortSignal): Promise<number>;

  // ---- writers' leases (R2)
  /** Held, unless it is there already; returns what stands. */
  createLease(model: ModelId, writer: WriterId, signal: AbortSignal): Promise<WriterLease>;
  readLease(model: ModelId, writer: WriterId, signal: AbortSignal): Promise<WriterLease | undefined>;
  /** count → count + 1 while held. Undefined: refused, the writer has lost it for ever. */
  renewLease(
    model: ModelId,
    writer: WriterId,
    count: number,
    signal: AbortSignal,
  ): Promise<WriterLease | undefined>;
  /** held at `count` → closing. Returns what stands afterwards, whoever did it. */
  closeLease(model: ModelId, writer: WriterId, count: number, signal: AbortSignal): Promise<WriterLease>;
  /** closing → closed, once every lane of the writer has its end. `LaneConflictError` while it is held. */
  finishLease(model: ModelId, writer: WriterId, signal: AbortSignal): Promise<void>;
  /** Lanes that this writer has registered. */
  lanesOfWriter(model: ModelId, writer: WriterId, signal: AbortSignal): Promise<readonly LaneRecord[]>;

  // ---- ledger and floor
  /** Insert if absent; the same entry again (scope and bindings are sets) is no error, another one for the epoch is `LedgerConflictError`. */
  appendLedger(entry: LedgerEntry, signal: AbortSignal): Promise<void>;
  /** Entries above `afterEpoch`, ascending, gapless prefix or not: callers cut at the first gap. */
  readLedger(
    model: ModelId,
    afterEpoch: Epoch,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly LedgerEntry[]>;
  listModels(signal: AbortSignal): Promise<readonly ModelId[]>;
  /** R9: at a quorum of every site. Only grows. */
  raiseFloor(model: ModelId, floor: Epoch, signal: AbortSignal): Promise<void>;
  readFloor(model: ModelId, signal: AbortSignal): Promise<Epoch>;

  // ---- runtimes
  putCheckpoint(model: ModelId, checkpoint: Checkpoint, signal: AbortSignal): Promise<void>;
  /** All writers' checkpoints of one query and input lane. */
  readCheckpoints(
    model: ModelId,
    query: EntityIdentity,
    inputLane: LaneId,
    signal: AbortSignal,
  ): Promise<readonly Checkpoint[]>;
  /** Compare-and-swap: `expectedGeneration` 0 creates. Returns the claim that stands, and whether it is ours (a repeat of the one that stands is). */
  claim(
    model: ModelId,
    claim: Claim,
    expectedGeneration: number,
    signal: AbortSignal,
  ): Promise<{ readonly won: boolean; readonly claim: Claim }>;
  /** Those of finished lanes may be left out. */
  listClaims(model: ModelId, signal: AbortSignal): Promise<readonly Claim[]>;
  /** A runtime's heartbeat, by the name of its writer: observers count from the last change that they saw, on their own clock. */
  heartbeat(model: ModelId, runtime: string, signal: AbortSignal): Promise<void>;
  leave(model: ModelId, runtime: string, signal: AbortSignal): Promise<void>;
  listMembers(model: ModelId, signal: AbortSignal): Promise<readonly Membership[]>;
  /** The first order for a position stands. */
  putDeadLetterOrder(model: ModelId, order: DeadLetterOrder, signal: AbortSignal): Promise<void>;
  listDeadLetterOrders(
    model: ModelId,
    query: EntityIdentity,
    lane: LaneId,
    signal: AbortSignal,
  ): Promise<readonly DeadLetterOrder[]>;

  // ---- crossings of other teams' runtimes (R7); those of our own are read from derived lanes
  /** Only grows. */
  recordCrossing(
    model: ModelId,
    query: EntityIdentity,
    lane: LaneId,
    epoch: Epoch,
    signal: AbortSignal,
  ): Promise<void>;
  /** The greatest recorded epoch; 0: none. */
  readCrossing(model: ModelId, query: EntityIdentity, lane: LaneId, signal: AbortSignal): Promise<Epoch>;
}

export class BelowRetentionError extends Error {
  override name = "BelowRetentionError";
  readonly firstRetained: Seq;
  constructor(lane: LaneId, asked: Seq, firstRetained: Seq) {
    super(
      `lane ${lane} is retained from seq ${firstRetained}; seq ${asked} is gone: read from ${firstRetained}`,
    );
    this.firstRetained = firstRetained;
  }
}
export class LedgerConflictError extends Error {
  override name = "LedgerConflictError";
}
/** The lane was never registered in this model. */
export class LaneUnknownError extends Error {
  override name = "LaneUnknownError";
  constructor(model: ModelId, lane: LaneId) {
    super(`model ${model} has no lane ${lane}: register it first`);
  }
}
/** What stands (a seq's content, a lane's registration, a lease's state) is other than what was asked for; it stays. */
export class LaneConflictError extends Error {
  override name = "LaneConflictError";
}
