/**
 * The CP store of the control plane, with etcd's semantics: one revision for the whole store, which
 * grows by one with each writing transaction; compare-then-else transactions; leases; a watch from a
 * revision; compaction. Embedded | etcd.
 *
 * All calls reject with the signal's reason when it aborts. A call that rejects with
 * `StoreUnknownError` may or may not have taken effect: read back before anyone is told (§4.4).
 */
export type KeyValue = {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the key's creation. */
  readonly createRevision: number;
  /** Revision of its newest change. */
  readonly modRevision: number;
  /** Changes since its creation, from 1. */
  readonly version: number;
  readonly lease?: LeaseId;
};

export type LeaseId = string;

export type KeyRange =
  | { readonly key: string }
  | {
      readonly prefix: string;
      /** Start behind this key, in the direction of the read (paging). */ readonly after?: string;
    };

export type ReadOptions = {
  /** Read the state as of this revision. `CompactedError` when it is gone. */
  readonly revision?: number;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly descending?: boolean;
  /** True: a replica may answer from its own state. Default: linearizable. */
  readonly serializable?: boolean;
};

export type RangeResult = {
  readonly entries: readonly KeyValue[];
  readonly more: boolean;
  /** The store's revision when it answered. */
  readonly revision: number;
};

/**
 * A comparison on one key. An absent key has createRevision, modRevision and version 0, and no value: a
 * comparison with its value never holds.
 */
export type Compare =
  | {
      readonly key: string;
      readonly target: "modRevision" | "createRevision" | "version";
      readonly is: "=" | "!=" | "<" | ">";
      readonly value: number;
    }
  | { readonly key: string; readonly target: "value"; readonly is: "=" | "!="; readonly value: Uint8Array };

export type Operation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array; readonly lease?: LeaseId }
  | { readonly type: "delete"; readonly range: KeyRange }
  | { readonly type: "get"; readonly range: KeyRange; readonly options?: ReadOptions };

export type Transaction = {
  readonly compare: readonly Compare[];
  readonly then: readonly Operation[];
  readonly else?: readonly Operation[];
};

export type TransactionResult = {
  readonly succeeded: boolean;
  readonly revision: number;
  /** One for each operation that was carried out: the entries of a get, else empty. */
  readonly responses: readonly (readonly KeyValue[])[];
};

export type WatchEvent =
  | { readonly type: "put"; readonly entry: KeyValue }
  | { readonly type: "delete"; readonly key: string; readonly modRevision: number };

/** All events of one or more whole revisions, in order; no events: a progress mark. */
export type WatchBatch = {
  readonly events: readonly WatchEvent[];
  /** Everything up to it was delivered. */ readonly revision: number;
};

export interface CpStore extends AsyncDisposable {
  range(range: KeyRange, options: ReadOptions, signal: AbortSignal): Promise<RangeResult>;
  /**
   * At most `CP_STORE_LIMITS.operations` operations and `CP_STORE_LIMITS.bytes`; more is a
   * `StoreLimitError`. A key may be written once in a transaction (put twice, or put and deleted, is a
   * `StoreLimitError` too). `LeaseGoneError`: a put names a lease that has lapsed. None of them changes anything.
   */
  transact(transaction: Transaction, signal: AbortSignal): Promise<TransactionResult>;
  /**
   * Everything behind `afterRevision` (0: from now on), gapless, in order, until the signal aborts.
   * Throws `CompactedError` where history is gone: list again and go on from there. Progress marks
   * come at least every few seconds.
   */
  watch(range: KeyRange, afterRevision: number, signal: AbortSignal): AsyncIterable<WatchBatch>;
  grantLease(ttlMs: number, signal: AbortSignal): Promise<LeaseId>;
  /** Throws `LeaseGoneError` when it has lapsed; its keys are then deleted. */
  keepLease(lease: LeaseId, signal: AbortSignal): Promise<void>;
  revokeLease(lease: LeaseId, signal: AbortSignal): Promise<void>;
  /** Forgets history below `revision`; what is forgotten already stays so. */
  compact(revision: number, signal: AbortSignal): Promise<void>;
}

/** etcd's own limits, kept by every adapter, so that nobody builds on more. */
export const CP_STORE_LIMITS = { operations: 128, bytes: 1_500_000 } as const;

/** The call may or may not have taken effect. */
export class StoreUnknownError extends Error {
  override name = "StoreUnknownError";
}
/** The store cannot be reached, or refuses work; nothing took effect. */
export class StoreUnavailableError extends Error {
  override name = "StoreUnavailableError";
}
export class StoreLimitError extends Error {
  override name = "StoreLimitError";
}
export class CompactedError extends Error {
  override name = "CompactedError";
  readonly compactRevision: number;
  constructor(compactRevision: number) {
    super(`history below revision ${compactRevision} is compacted: list again and watch from there`);
    this.compactRevision = compactRevision;
  }
}
export class LeaseGoneError extends Error {
  override name = "LeaseGoneError";
}
