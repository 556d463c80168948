/**
 * Who reads a lane, how far each has come, and who has crossed which epoch: read from durable rows only (R7), the same
 * for ingress, runtimes and conductors.
 */
import type { LaneId, Seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import type { Claim, LaneRecord, LaneStore } from "@greco/ports";
import type { BindingReader } from "./binding-reader.ts";
import type { LedgerFollower } from "./ledger-follower.ts";

export type ProgressSources = {
  readonly laneStore: LaneStore;
  readonly ledger: LedgerFollower;
  readonly bindings: BindingReader;
};

/** A query that reads a stream, from the marker of `since` on, until the marker of `until`. */
export type StreamReader = {
  readonly query: EntityIdentity;
  readonly to: EntityIdentity | undefined;
  readonly since: Epoch;
  readonly until?: Epoch;
};

/** How far a query has come in a lane, by those of its checkpoints that count (their outputs stand below the ends). */
export type LaneProgress = {
  readonly inputSeq: Seq;
  readonly inputEpoch: Epoch;
  /** It has done all of the lane that it ever will. */
  readonly done: boolean;
  readonly claim?: Claim;
};

export type LaneCrossing = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  readonly epoch: Epoch;
  readonly crossed: boolean;
};

/** Queries that read `stream` at some epoch from `from` to `to`. */
export type ReadersOf = (
  sources: ProgressSources,
  stream: EntityIdentity,
  from: Epoch,
  to: Epoch,
  signal: AbortSignal,
) => Promise<readonly StreamReader[]>;

export type ProgressOf = (
  sources: ProgressSources,
  query: EntityIdentity,
  lane: LaneRecord,
  signal: AbortSignal,
) => Promise<LaneProgress>;

/** R7: for every live lane of the streams in the scope of `epoch`, every query that reads it there. */
export type ListCrossings = (
  sources: ProgressSources,
  epoch: Epoch,
  signal: AbortSignal,
) => Promise<readonly LaneCrossing[]>;

/** Where each epoch begins in a lane, found by halving (I7). */
export type LaneMarker = { readonly epoch: Epoch; readonly seq: Seq };
