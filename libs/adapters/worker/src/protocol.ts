/** What the host and its workers say to each other. Programs go by a number that the host gives out. */
import type { ProgramSource } from "./program.ts";

export type Role = "expressions" | "handlers";

export type WorkerSettings = {
  readonly role: Role;
  readonly outputsMax: number;
  readonly outputBytesMax: number;
  /** See `Progress`. */
  readonly progress: SharedArrayBuffer;
};

/**
 * Shared by both sides, so that the host sees how far a worker is that does not answer: the batch at work (or the
 * newest call that has arrived), the message of it (or the call) that runs right now, and a beat that stands still
 * while a call blocks the thread.
 */
export const Progress = { batch: 0, current: 1, beat: 2, words: 3 } as const;
export const NOTHING = -1;

export type Failure = { readonly reason: string; readonly message: string; readonly retryable: boolean };

export type ToWorker =
  | { readonly type: "load"; readonly program: number; readonly source: ProgramSource }
  | { readonly type: "unload"; readonly program: number }
  | Batch
  | Call
  | { readonly type: "cancel"; readonly call: number };

/** Messages for expressions: payloads in one piece, in runs of one program. */
export type Batch = {
  readonly type: "batch";
  readonly batch: number;
  readonly runs: readonly { readonly program: number; readonly count: number }[];
  readonly payloads: Uint8Array<ArrayBuffer>;
  /** Where each payload ends. */
  readonly ends: Uint32Array<ArrayBuffer>;
};

/** One call of a handler. */
export type Call = {
  readonly type: "call";
  readonly call: number;
  readonly program: number;
  readonly payload: Uint8Array;
  readonly key: string;
  readonly idempotencyKey: string;
  readonly lane: string;
  readonly seq: number;
  readonly epoch: number;
};

export type FromWorker =
  | { readonly type: "ready" }
  | { readonly type: "loaded"; readonly program: number }
  | {
      readonly type: "refused";
      readonly program: number;
      readonly reason: string;
      readonly place: string;
      readonly message: string;
    }
  | BatchResult
  | { readonly type: "outcomes"; readonly outcomes: readonly CallOutcome[] }
  /** An error that belongs to no call, such as one of a timer that a handler left behind. */
  | { readonly type: "stray"; readonly message: string };

/** A message's length in `outputs`, or one of these. */
export const Length = { filtered: -1, unchanged: -2, failed: -3 } as const;

export type BatchResult = {
  readonly type: "result";
  readonly batch: number;
  readonly lengths: Int32Array<ArrayBuffer>;
  readonly outputs: Uint8Array<ArrayBuffer>;
  /** Of the messages that failed, in their order. */
  readonly failures: readonly Failure[];
};

export type CallOutcome =
  | { readonly call: number; readonly outputs: readonly Uint8Array[] }
  | { readonly call: number; readonly failure: Failure };
