/**
 * How far a unit is done: the last input before which everything is durable in the lanes. Positions are issued in
 * order; each waits for the acknowledgements of its rows.
 */
import type { Seq } from "@greco/domain/lane";
import type { Epoch } from "@greco/domain/model";
import { invariant } from "@greco/domain/model";

/** A position with rows under way. What has nothing under way behind it is counted to it. */
type Waiting = { upTo: Seq; epoch: Epoch; pending: number };

/** Given back with each acknowledgement. */
export type Ticket = Waiting;

export type Position = { readonly seq: Seq; readonly epoch: Epoch };

export class DurablePosition {
  #done: Position;
  #issued: Position;
  readonly #waiting: Waiting[] = [];

  constructor(start: Position) {
    this.#done = start;
    this.#issued = start;
  }

  /** Everything up to here is durable. */
  get done(): Position {
    return this.#done;
  }
  /** Everything up to here was issued, in this order. */
  get issued(): Position {
    return this.#issued;
  }
  get isSettled(): boolean {
    return this.#waiting.length === 0;
  }

  /** The next position; `pending` of its rows are under way. */
  issue(seq: Seq, epoch: Epoch, pending: number): Ticket {
    invariant(seq >= this.#issued.seq, "I8: inputs are done in their order");
    this.#issued = { seq, epoch };
    const last = this.#waiting.at(-1);
    if (pending === 0 && last !== undefined) {
      last.upTo = seq;
      last.epoch = epoch;
      return last;
    }
    const waiting: Waiting = { upTo: seq, epoch, pending };
    if (pending === 0) this.#done = this.#issued;
    else this.#waiting.push(waiting);
    return waiting;
  }

  /** A position whose rows are still to be issued: it counts once this ticket is acknowledged, and they are. */
  hold(seq: Seq, epoch: Epoch): Ticket {
    invariant(seq >= this.#issued.seq, "I8: inputs are done in their order");
    this.#issued = { seq, epoch };
    const waiting: Waiting = { upTo: seq, epoch, pending: 1 };
    this.#waiting.push(waiting);
    return waiting;
  }

  /** One row of that position is acknowledged. */
  acknowledge(ticket: Ticket): void {
    ticket.pending -= 1;
    invariant(ticket.pending >= 0, "a row is acknowledged once");
    for (let first = this.#waiting[0]; first?.pending === 0; first = this.#waiting[0]) {
      this.#done = { seq: first.upTo, epoch: first.epoch };
      this.#waiting.shift();
    }
  }
}
