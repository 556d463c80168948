/**
 * The ledger: the gapless list of epochs in the data plane (DESIGN §4.5). Readers act only on the
 * gapless prefix; what is behind a gap does not exist yet.
 */
import type { CandidateId, EntityIdentity, Epoch, ModelId } from "../model/ids.ts";

/** A changed binding as the ledger names it. An empty hash never occurs: removal has its own form. */
export type ChangedBinding =
  | {
      readonly entity: EntityIdentity;
      readonly candidate: CandidateId;
      readonly hash: string;
      readonly removed: false;
    }
  | { readonly entity: EntityIdentity; readonly removed: true };

export type LedgerEntry = {
  readonly model: ModelId;
  readonly epoch: Epoch;
  readonly candidate: CandidateId;
  /** Streams whose lanes get the marker; the built-in streams `epochs` and `dead-letters` are always among them. */
  readonly scope: readonly EntityIdentity[];
  readonly bindings: readonly ChangedBinding[];
  readonly committedAtMs: number;
  /** W3C's traceparent of the commit, under which runtimes tell of their crossings; nothing depends on it. */
  readonly trace?: string;
};

/** The Roman letter for a Greek one: what a conductor publishes for runtimes. Immutable (R6). */
export type Binding = {
  readonly model: ModelId;
  readonly entity: EntityIdentity;
  readonly candidate: CandidateId;
  /** sha-256 of `content`, lower-case hex. */
  readonly hash: string;
  /** JSON text. Its shape is between the conductor and the runtimes of its kind. */
  readonly content: string;
};
