/**
 * One incarnation of a writer, with one lease (R2), its lanes (R3) and its group commit (R1).
 * This file is the contract; how it is done stands in lane-writer.ts and open-lane.ts.
 */
import type { LedgerEntry } from "@greco/domain/epoch";
import type { DataEntry, EntrySource, LaneId, LaneInfo, Seq, WriterId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { Clock, Ids, LaneStore, Log, Wake } from "@greco/ports";
import type { LedgerFollower } from "./ledger-follower.ts";

export type LaneWriterOptions = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly model: ModelId;
  /** Who writes, for people: `ingress-1`. The writer's id is made of it and a new id; it is never used again. */
  readonly name: string;
  /** The same for all who write, read or seal in a model: observers count twice this (R2). */
  readonly leaseMs: number;
  /** Shared by the writers of one process; a writer opens one of its own otherwise. */
  readonly ledger?: LedgerFollower;
  /**
   * Called before the markers of an epoch go into the lanes that follow the ledger, so that what the epoch needs
   * (a compiled schema) is at hand. Bounded by a third of the lease: the markers then go in without it.
   */
  readonly prepareEpoch?: (entry: LedgerEntry, signal: AbortSignal) => Promise<void>;
  readonly limits?: Partial<LaneWriterLimits>;
  /** Where a test lets the process stop: `lane.append.before|after`, `lane.marker.before|after@<epoch>`. */
  readonly failpoint?: (name: string) => Promise<void>;
};

export type LaneWriterLimits = {
  /** Entries of one lane accepted and not yet acknowledged; the next append waits. */
  readonly windowEntries: number;
  readonly windowBytes: number;
  /** Store calls of one writer under way at once. */
  readonly flights: number;
  /** Entries, and bytes, of one store call over all its lanes; a single append is never divided. */
  readonly callEntries: number;
  readonly callBytes: number;
  /** Part of the lease that is given up for the drift of clocks (R2), 0–0.5. */
  readonly driftMargin: number;
};

/** What a caller appends: seq, epoch and time are the lane's to give. */
export type NewEntry = Pick<DataEntry, "key" | "payload" | "producer" | "source">;

/** Where an entry stands, durable and acknowledged by R1. */
export type Appended = { readonly seq: Seq; readonly epoch: Epoch };

export type OpenLaneRequest = {
  readonly stream: EntityIdentity;
  /** Default: made of the stream's name and a new id. Must be new in the model. */
  readonly id?: LaneId;
  /**
   * Absent: a lane that follows the ledger. It opens at the newest epoch of the gapless prefix (R3), and this writer
   * puts the markers of every epoch in its stream's scope into it by itself.
   * Given: the first row is this epoch's marker, and all others are the caller's (a derived lane; `dueMarkers` of
   * @greco/domain/lane says which are due). By R4 it is the greater of the predecessor's end epoch and the input's.
   */
  readonly openAt?: Epoch;
  /** For the opening marker of a derived lane: the input position that it stands for. */
  readonly openSource?: Omit<EntrySource, "index">;
  readonly derived?: LaneInfo["derived"];
  readonly predecessor?: LaneId;
  readonly group?: LaneInfo["group"];
  readonly retentionMs?: number;
};

export interface LaneWriter extends AsyncDisposable {
  readonly id: WriterId;
  readonly model: ModelId;
  readonly ledger: LedgerFollower;
  /** Aborts once the lease is over, an append was given up, or the writer is disposed. Never comes back. */
  readonly lost: AbortSignal;
  /** Whether the lease holds now, on this writer's own clock (R2). */
  holds(): boolean;
  /**
   * R3: registers the lane at a quorum, then reads the ledger at a quorum, then opens it. Resolves when the opening
   * marker is durable. `LaneLostError` when the lease is over.
   */
  openLane(request: OpenLaneRequest, signal: AbortSignal): Promise<OpenLane>;
  /** Its lanes without an end. */
  lanes(): readonly OpenLane[];
  /**
   * Graceful: takes no more appends, waits for those under way (at most one lease), sets the ends, closes the lease.
   * What cannot be ended safely is left to be sealed. Idempotent.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface OpenLane {
  readonly id: LaneId;
  readonly info: LaneInfo;
  /** The epoch of the next entry: that of the last marker taken into the lane. */
  readonly epoch: Epoch;
  /**
   * What the lane is current to: the ledger was read up to here, and every marker up to here in its scope was taken
   * into the lane. An acknowledgement carries it; `at_least_epoch` is compared with it.
   */
  readonly current: Epoch;
  /** The last seq given out; all up to `durable` are in the store. */
  readonly tail: Seq;
  /** The durable tail: the last seq before which nothing is missing. What a checkpoint may name. */
  readonly durable: Seq;
  /**
   * Aborts when the lane takes no more appends: its end was asked for in the store (R5: the writer ends it by itself),
   * it is not current to the floor (R8), `end` was called, or the writer is lost. The owner rolls over; the reason is
   * a `LaneEndedError` or a `LaneLostError`.
   */
  readonly closed: AbortSignal;
  /** Whether an append of this size is taken at once. */
  hasRoom(entries: number, bytes: number): boolean;
  /** Resolves when there may be room: look again, others may have been quicker. Also when the lane is closed. */
  roomFor(entries: number, bytes: number, signal: AbortSignal): Promise<void>;
  /**
   * All entries of one call are one atomic append, in their order, under one epoch. Where there is room, seq and epoch
   * are given before the call returns, so what the caller checked against `epoch` just before still holds; otherwise
   * the call waits its turn. Resolves by R1: all before it durable, and the lease held after the store's answer.
   *
   * `LaneEndedError`: nothing was appended. `LaneLostError`: the outcome is unknown. When the signal aborts before the
   * call's turn has come, nothing is appended; afterwards the signal is ignored, because the seqs are bound.
   */
  append(entries: readonly NewEntry[], signal: AbortSignal): Promise<readonly Appended[]>;
  /**
   * R4, I7: takes the marker of `epoch` in; it never waits for room. Undefined, at once: the epoch is not above the
   * lane's, and there is nothing to append.
   */
  marker(epoch: Epoch, source?: Omit<EntrySource, "index">): Promise<Appended | undefined>;
  /** A derived lane's owner says: every marker up to `epoch` that is in the lane's scope was taken in. */
  advance(epoch: Epoch): void;
  /** Takes no more appends, waits until all are durable, sets the end. Idempotent. `LaneLostError`: left to be sealed. */
  end(signal: AbortSignal): Promise<Seq>;
}
