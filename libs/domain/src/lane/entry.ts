/**
 * What stands in a lane (DESIGN §5). A lane is a single-writer, gapless, ordered sequence of
 * entries; every entry carries its epoch, so no entry needs another to be understood.
 */
import type { EntityIdentity, Epoch, ModelId } from "../model/ids.ts";

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** Unique for ever within a model. */
export type LaneId = Branded<string, "LaneId">;
/** One incarnation of an ingress, or of a runtime's query on an input lane. Never used again. */
export type WriterId = Branded<string, "WriterId">;
/** Position in a lane: 1, 2, 3 …; 0 is before the first entry. */
export type Seq = Branded<number, "Seq">;

export function seq(value: number): Seq {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a seq: ${value}`);
  return value as Seq;
}
export const laneId = (value: string): LaneId => value as LaneId;
export const writerId = (value: string): WriterId => value as WriterId;

/** Where a derived entry comes from: with `index` it is the identity of an effect. */
export type EntrySource = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  readonly seq: Seq;
  /** Which of the outputs of this input to this stream; 0-based. */
  readonly index: number;
};

type EntryBase = {
  readonly seq: Seq;
  readonly epoch: Epoch;
  /** When the writer made it, by its own clock; for people only, nothing is decided by it. */
  readonly appendedAtMs: number;
};

export type DataEntry = EntryBase & {
  readonly kind: "data";
  readonly key: string;
  /** JSON text, UTF-8. */
  readonly payload: Uint8Array;
  readonly producer?: { readonly id: string; readonly seq: number };
  readonly source?: EntrySource;
};

/** From here on, `epoch`. A forwarded one names the input position that it stands for. */
export type MarkerEntry = EntryBase & {
  readonly kind: "marker";
  readonly source?: Omit<EntrySource, "index">;
};

export type Entry = DataEntry | MarkerEntry;

/** What is fixed about a lane when it is registered. */
export type LaneInfo = {
  readonly model: ModelId;
  readonly id: LaneId;
  /** `stream/flights@3` */
  readonly stream: EntityIdentity;
  readonly writer: WriterId;
  /** Fixed when the lane opens; changing it opens new lanes (R3). Undefined: for ever. */
  readonly retentionMs?: number;
  /** For a derived lane: the query and its input lane. */
  readonly derived?: { readonly query: EntityIdentity; readonly inputLane: LaneId };
  /** The sealed lane that this one continues; it is read after it. */
  readonly predecessor?: LaneId;
  /**
   * Lanes that one writer opened together for one stream, among which messages are divided by key: a producer that
   * moves away may have written to any of them, so they are closed and read together (R5).
   */
  readonly group?: { readonly id: string; readonly index: number; readonly size: number };
  readonly registeredAtMs: number;
};

/**
 * The compare-and-swap side of a lane. `end` is the last seq that counts; once set, it is never changed.
 * `closeRequested`: somebody (R5) asks the live writer to end the lane and roll over.
 */
export type LaneState = {
  readonly closeRequested: boolean;
  readonly end?: Seq;
  /** First seq that is still retained; reading below it is an error (R3). */
  readonly firstRetained: Seq;
};

/**
 * A writer's lease (R2): one integer, touched by compare-and-swap only. It grows with each renewal;
 * who wants to seal swaps the state to `closing` on the integer as seen, and renewal then fails.
 */
export type WriterLease = {
  readonly writer: WriterId;
  readonly count: number;
  readonly state: "held" | "closing" | "closed";
};
