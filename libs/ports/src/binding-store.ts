/**
 * Bindings, folded snapshots of them, and the conductors' leases and journals (one home site, one
 * partition for lease and journal). Embedded | Cassandra.
 */
import type { Binding } from "@greco/domain/epoch";
import type { CandidateId, ConductorId, EntityIdentity, Epoch, ModelId } from "@greco/domain/model";

/** Every binding in force at an epoch, so that a cold boot need not fold the whole ledger. */
export type BindingSnapshot = {
  readonly model: ModelId;
  readonly epoch: Epoch;
  readonly bindings: readonly {
    readonly entity: EntityIdentity;
    readonly candidate: CandidateId;
    readonly hash: string;
  }[];
};

/** One record of a conductor's journal; ordered by `sequence`, which begins at 1 and has no gaps. */
export type JournalRecord = { readonly sequence: number; readonly json: string };

/** Who acts for a conductor. Each start takes the next incarnation (§4). */
export type ConductorLease = { readonly incarnation: number; readonly count: number };

export interface BindingStore extends AsyncDisposable {
  /**
   * Immutable per entity and candidate (R6): the same again is no error, another content is
   * `BindingConflictError`. Durable when it resolves.
   */
  putBindings(bindings: readonly Binding[], signal: AbortSignal): Promise<void>;
  getBinding(
    model: ModelId,
    entity: EntityIdentity,
    candidate: CandidateId,
    signal: AbortSignal,
  ): Promise<Binding | undefined>;
  /** Bindings of a candidate (to sweep what an undo owes), without their content. */
  listBindings(
    model: ModelId,
    candidate: CandidateId,
    signal: AbortSignal,
  ): Promise<readonly Omit<Binding, "content">[]>;
  /** All candidates that have bindings. */
  listCandidates(model: ModelId, signal: AbortSignal): Promise<readonly CandidateId[]>;
  deleteBinding(
    model: ModelId,
    entity: EntityIdentity,
    candidate: CandidateId,
    signal: AbortSignal,
  ): Promise<void>;
  /** A snapshot is what the ledger folds to, whoever folds it: the first one of an epoch stands. */
  putSnapshot(snapshot: BindingSnapshot, signal: AbortSignal): Promise<void>;
  /** The newest snapshot at or below `epoch`. */
  getSnapshot(model: ModelId, epoch: Epoch, signal: AbortSignal): Promise<BindingSnapshot | undefined>;

  /** Takes the conductor over: the next incarnation, count 0. The former holder's writes are refused from now on. */
  takeConductor(model: ModelId, conductor: ConductorId, signal: AbortSignal): Promise<ConductorLease>;
  readConductor(
    model: ModelId,
    conductor: ConductorId,
    signal: AbortSignal,
  ): Promise<ConductorLease | undefined>;
  renewConductor(
    model: ModelId,
    conductor: ConductorId,
    lease: ConductorLease,
    signal: AbortSignal,
  ): Promise<ConductorLease | undefined>;
  /**
   * Durable when it resolves, all of the records or none; compares the incarnation. `FencedError`: another
   * incarnation has taken over, and the caller must stop. A record that stands already may be repeated; another
   * one for its sequence, or a gap, is a `RangeError`.
   */
  appendJournal(
    model: ModelId,
    conductor: ConductorId,
    incarnation: number,
    records: readonly JournalRecord[],
    signal: AbortSignal,
  ): Promise<void>;
  readJournal(
    model: ModelId,
    conductor: ConductorId,
    afterSequence: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly JournalRecord[]>;
  /**
   * Replaces records up to `upToSequence` by one that holds what is still needed of them and stands there
   * itself: `summary.sequence === upToSequence`. `FencedError` as above.
   */
  compactJournal(
    model: ModelId,
    conductor: ConductorId,
    incarnation: number,
    upToSequence: number,
    summary: JournalRecord,
    signal: AbortSignal,
  ): Promise<void>;
}

export class BindingConflictError extends Error {
  override name = "BindingConflictError";
}
export class FencedError extends Error {
  override name = "FencedError";
}
