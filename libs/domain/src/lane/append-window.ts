/**
 * The writer's side of one lane (R1): what was given a seq, what is under way, what is durable, what may be
 * acknowledged. It holds no promise and reads no clock; its owner carries out the store calls.
 *
 * R1. A seq is given once and bound to its content for ever: a call with an unknown outcome is repeated with the same
 *     rows, or the lane is given up. Seq n is acknowledged when all before it are durable and, after the store's
 *     answer, the lease still holds.
 * I7. Epochs in a lane only grow.
 */
import type { Epoch } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import type { DataEntry, Entry, MarkerEntry, Seq } from "./entry.ts";
import { seq } from "./entry.ts";

export type NewData = Pick<DataEntry, "key" | "payload" | "producer" | "source">;

/** What one append was given; its rows are one atomic store append. */
export type Ticket = {
  readonly first: Seq;
  readonly last: Seq;
  readonly epoch: Epoch;
  readonly entries: readonly Entry[];
  readonly bytes: number;
};

/** Rows of one store call for this lane. Repeated as it is until the store says yes. */
export type Flight = {
  readonly first: Seq;
  readonly last: Seq;
  readonly entries: readonly Entry[];
  readonly bytes: number;
};

export class AppendWindow {
  #tail = 0;
  #epoch: Epoch;
  #opened = false;
  #durable = 0;
  #bytes = 0;
  #waiting: Ticket[] = [];
  readonly #unacknowledged: Ticket[] = [];
  readonly #flights: Flight[] = [];
  readonly #landed = new Set<Flight>();

  /** `openAt`: the epoch of the opening marker, which is the first thing to take in. */
  constructor(openAt: Epoch) {
    this.#epoch = openAt;
  }

  get epoch(): Epoch {
    return this.#epoch;
  }
  /** The last seq given. */
  get tail(): Seq {
    return seq(this.#tail);
  }
  /** The last seq before which nothing is missing in the store. */
  get durable(): Seq {
    return seq(this.#durable);
  }
  /** Taken and not yet acknowledged. */
  get load(): { readonly entries: number; readonly bytes: number } {
    const first = this.#unacknowledged[0]?.first ?? this.#tail + 1;
    return { entries: this.#tail + 1 - first, bytes: this.#bytes };
  }
  /** Nothing waits and nothing is under way: the lane may be ended at its tail. */
  get settled(): boolean {
    return this.#waiting.length === 0 && this.#flights.length === 0;
  }

  open(source: MarkerEntry["source"], nowMs: number): Ticket {
    invariant(!this.#opened, "R3: a lane opens once");
    this.#opened = true;
    return this.#take([this.#markerEntry(source, nowMs)], 0);
  }

  /** Data of one append: one epoch, consecutive seqs. */
  data(items: readonly NewData[], bytes: number, nowMs: number): Ticket {
    invariant(this.#opened, "R3: the first row of a lane is its opening marker");
    invariant(items.length > 0, "an append has at least one entry");
    const entries = items.map((item, index): DataEntry => ({
      kind: "data",
      seq: seq(this.#tail + 1 + index),
      epoch: this.#epoch,
      appendedAtMs: nowMs,
      ...item,
    }));
    return this.#take(entries, bytes);
  }

  marker(epoch: Epoch, source: MarkerEntry["source"], nowMs: number): Ticket {
    invariant(this.#opened, "R3: the first row of a lane is its opening marker");
    invariant(epoch > this.#epoch, "I7: epochs in a lane only grow");
    this.#epoch = epoch;
    return this.#take([this.#markerEntry(source, nowMs)], 0);
  }

  /** The next rows to send, or undefined. What was taken first goes first; a ticket is never divided. */
  depart(entriesMax: number, bytesMax: number): Flight | undefined {
    let count = 0;
    let entries = 0;
    let bytes = 0;
    for (const ticket of this.#waiting) {
      if (count > 0 && (entries + ticket.entries.length > entriesMax || bytes + ticket.bytes > bytesMax))
        break;
      entries += ticket.entries.length;
      bytes += ticket.bytes;
      count += 1;
    }
    if (count === 0) return undefined;
    const tickets = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    const rows = tickets.flatMap((ticket) => ticket.entries);
    const flight: Flight = {
      first: seq(this.#durableOrSent() + 1),
      last: seq(this.#durableOrSent() + rows.length),
      entries: rows,
      bytes,
    };
    invariant(rows[0]?.seq === flight.first, "R1: seqs are sent without a gap");
    this.#flights.push(flight);
    return flight;
  }

  /** The store says that these rows are durable. Flights may land in any order. */
  landed(flight: Flight): void {
    invariant(this.#flights.includes(flight), "R1: a flight lands once");
    this.#landed.add(flight);
    for (
      let first = this.#flights[0];
      first !== undefined && this.#landed.has(first);
      first = this.#flights[0]
    ) {
      // R1: durable is what has nothing missing before it.
      this.#durable = first.last;
      this.#landed.delete(first);
      this.#flights.shift();
    }
  }

  /** What may be acknowledged now. `holds`: the lease, asked after the store's answer. */
  acknowledge(holds: boolean): readonly Ticket[] {
    if (!holds) return [];
    let count = 0;
    for (const ticket of this.#unacknowledged) {
      if (ticket.last > this.#durable) break;
      this.#bytes -= ticket.bytes;
      count += 1;
    }
    return this.#unacknowledged.splice(0, count);
  }

  #durableOrSent(): number {
    return this.#flights.at(-1)?.last ?? this.#durable;
  }

  #markerEntry(source: MarkerEntry["source"], nowMs: number): MarkerEntry {
    const entry = {
      kind: "marker",
      seq: seq(this.#tail + 1),
      epoch: this.#epoch,
      appendedAtMs: nowMs,
    } as const;
    return source === undefined ? entry : { ...entry, source };
  }

  #take(entries: readonly Entry[], bytes: number): Ticket {
    const first = seq(this.#tail + 1);
    const last = seq(this.#tail + entries.length);
    this.#tail = last;
    this.#bytes += bytes;
    const ticket: Ticket = { first, last, epoch: this.#epoch, entries, bytes };
    this.#waiting.push(ticket);
    this.#unacknowledged.push(ticket);
    return ticket;
  }
}
