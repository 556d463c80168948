/** What was asked of the host, in the pieces in which it is worked on. */
import type { Invocation, Outcome } from "@greco/ports";
import type { ProgramSource } from "./program.ts";
import type { Failure } from "./protocol.ts";

/** A program as the host keeps it. */
export type HostedProgram = { readonly number: number; readonly source: ProgramSource };

/** One call of `invoke`. */
export type Job = {
  readonly program: HostedProgram;
  readonly invocations: readonly Invocation[];
  readonly outcomes: (Outcome | undefined)[];
  left: number;
  /** Nobody waits for it any more. */
  cancelled: boolean;
  readonly done: () => void;
};

/** Invocations `from` (inclusive) to `to` (exclusive) of a job. */
export type Piece = {
  readonly job: Job;
  readonly from: number;
  readonly to: number;
  readonly deaths: number;
};

export function settle(job: Job, index: number, outcome: Outcome): void {
  if (job.outcomes[index] !== undefined) return;
  job.outcomes[index] = outcome;
  job.left -= 1;
  if (job.left === 0) job.done();
}

export function settlePiece({ job, from, to }: Piece, failure: Failure): void {
  for (let index = from; index < to; index += 1) settle(job, index, { type: "failed", ...failure });
}

/** Programs take turns: one with a long queue does not keep the others waiting. */
export class FairQueue {
  readonly #pieces = new Map<number, Piece[]>();
  #size = 0;

  /** Invocations that wait. */
  get size(): number {
    return this.#size;
  }

  add(piece: Piece): void {
    this.#of(piece).push(piece);
    this.#size += piece.to - piece.from;
  }

  /** Before all others of its program. */
  addFirst(piece: Piece): void {
    this.#of(piece).unshift(piece);
    this.#size += piece.to - piece.from;
  }

  #of({ job }: Piece): Piece[] {
    const known = this.#pieces.get(job.program.number);
    if (known !== undefined) return known;
    const pieces: Piece[] = [];
    this.#pieces.set(job.program.number, pieces);
    return pieces;
  }

  /** At most `count` invocations of the program whose turn it is, if `may` allows it. */
  take(count: number, may: (program: number) => boolean = () => true): Piece | undefined {
    for (const [program, pieces] of this.#pieces) {
      if (!may(program)) continue;
      // To the end of the round.
      this.#pieces.delete(program);
      const piece = this.#cut(pieces, count);
      if (pieces.length > 0) this.#pieces.set(program, pieces);
      if (piece !== undefined) return piece;
    }
    return undefined;
  }

  #cut(pieces: Piece[], count: number): Piece | undefined {
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      const length = piece.to - piece.from;
      this.#size -= length;
      if (piece.job.cancelled) continue;
      if (length <= count) return piece;
      const cut = piece.from + count;
      pieces.unshift({ ...piece, from: cut });
      this.#size += length - count;
      return { ...piece, to: cut };
    }
    return undefined;
  }

  /** All that waits for one program. */
  remove(program: number): readonly Piece[] {
    const pieces = this.#pieces.get(program) ?? [];
    this.#pieces.delete(program);
    for (const piece of pieces) this.#size -= piece.to - piece.from;
    return pieces;
  }
}
