/** The gapless prefix of a model's ledger, in memory, and what is folded from it. An announcement is a hint; it polls. */
import type { EpochIndex, LedgerEntry } from "@greco/domain/epoch";
import type { Epoch, ModelId } from "@greco/domain/model";
import type { Clock, LaneStore, Log, Wake } from "@greco/ports";

export type LedgerFollowerOptions = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: ModelId;
  /** Default 250. Wakes make it quicker. */
  readonly pollMs?: number;
};

export interface LedgerFollower extends AsyncDisposable {
  readonly model: ModelId;
  /** The last epoch of the gapless prefix; 0: none. */
  readonly newest: Epoch;
  /** Bindings, identities, streams and scopes at any epoch of the prefix: the fold. Grows with it. */
  readonly index: EpochIndex;
  /** Entries of the prefix above `afterEpoch`, ascending. */
  entries(afterEpoch: Epoch): readonly LedgerEntry[];
  /** Reads the ledger at a quorum now, by a read that begins after this call (R3, R8). Returns the newest epoch. */
  refresh(signal: AbortSignal): Promise<Epoch>;
  /** Resolves once the prefix reaches `epoch`. */
  waitFor(epoch: Epoch, signal: AbortSignal): Promise<void>;
  /** Calls `listener` once for each new entry, in order, until the returned function is called. */
  onGrow(listener: (entry: LedgerEntry) => void): () => void;
}

/** Reads the ledger once, then follows it until it is disposed or the signal aborts. */
export type FollowLedger = (options: LedgerFollowerOptions, signal: AbortSignal) => Promise<LedgerFollower>;
