/**
 * One lane of a writer: promises around domain/lane's `AppendWindow`. Seq and epoch are given when an append is taken
 * in, in the same turn of the event loop as the caller's checks; what has no room waits its turn.
 */
import type { AppendWindow, Flight, LaneInfo, MarkerEntry, Seq, Ticket, WriterId } from "@greco/domain/lane";
import type { Epoch } from "@greco/domain/model";
import { invariant } from "@greco/domain/model";
import { LaneEndedError } from "./errors.ts";
import { Line } from "./line.ts";
import { onAbort } from "./on-abort.ts";
import { raced } from "./refresher.ts";
import type { Appended, LaneWriterLimits, NewEntry, OpenLane } from "./writer.ts";

/** What a lane needs of its writer. */
export type LaneOwner = {
  readonly id: WriterId;
  readonly limits: LaneWriterLimits;
  nowMs(): number;
  /** Something waits to be sent. */
  depart(): void;
  /** Sets the end in the store, once. */
  endAt(lane: WriterLane, end: Seq, signal: AbortSignal): Promise<void>;
};

type Waiter = {
  readonly entries: readonly NewEntry[];
  readonly bytes: number;
  readonly take: () => void;
  readonly refuse: (error: Error) => void;
};

/** Who only wants to know when there may be room for so much. */
type Looker = { readonly entries: number; readonly bytes: number; readonly look: () => void };

type Pending = {
  readonly resolve: (appended: readonly Appended[]) => void;
  readonly reject: (error: Error) => void;
};

/** What is known of an entry's row beside key and payload, roughly. */
const ROW_BYTES = 64;

export function bytesOf(entries: readonly NewEntry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.payload.length + entry.key.length + ROW_BYTES;
  return bytes;
}

export class WriterLane implements OpenLane {
  readonly info: LaneInfo;
  /** Follows the ledger: its markers are the writer's to take in. */
  readonly follows: boolean;
  readonly #window: AppendWindow;
  readonly #owner: LaneOwner;
  readonly #closed = new AbortController();
  readonly #pending = new Map<Ticket, Pending>();
  readonly #waiters = new Line<Waiter>();
  readonly #lookers = new Line<Looker>();
  #current: Epoch;
  #ending: Promise<Seq> | undefined;
  #settled: (() => void) | undefined;
  #lostError: Error | undefined;

  constructor(owner: LaneOwner, info: LaneInfo, window: AppendWindow, follows: boolean) {
    this.#owner = owner;
    this.info = info;
    this.#window = window;
    this.#current = window.epoch;
    this.follows = follows;
  }

  get id(): LaneInfo["id"] {
    return this.info.id;
  }
  get epoch(): Epoch {
    return this.#window.epoch;
  }
  get current(): Epoch {
    return this.#current;
  }
  get tail(): Seq {
    return this.#window.tail;
  }
  get durable(): Seq {
    return this.#window.durable;
  }
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  hasRoom(entries: number, bytes: number): boolean {
    return this.#waiters.size === 0 && this.#fits(entries, bytes);
  }

  async roomFor(entries: number, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.closed.aborted || this.hasRoom(entries, bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const leave = this.#lookers.join({ entries, bytes, look: resolve });
    try {
      await raced(promise, signal);
    } finally {
      leave();
    }
  }

  append(entries: readonly NewEntry[], signal: AbortSignal): Promise<readonly Appended[]> {
    if (this.closed.aborted) return Promise.reject(this.closed.reason as Error);
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const bytes = bytesOf(entries);
    if (this.hasRoom(entries.length, bytes)) return this.#take(entries, bytes);
    return this.#wait(entries, bytes, signal);
  }

  async open(source: MarkerEntry["source"]): Promise<void> {
    await this.#promised(this.#window.open(source, this.#owner.nowMs()));
  }

  async marker(epoch: Epoch, source?: MarkerEntry["source"]): Promise<Appended | undefined> {
    if (this.closed.aborted) throw this.closed.reason;
    // R4: an epoch that is not above the lane's is skipped.
    if (epoch <= this.#window.epoch) return undefined;
    const appended = this.#promised(this.#window.marker(epoch, source, this.#owner.nowMs()));
    if (epoch > this.#current) this.#current = epoch;
    return (await appended)[0];
  }

  advance(epoch: Epoch): void {
    if (epoch > this.#current) this.#current = epoch;
  }

  end(signal: AbortSignal): Promise<Seq> {
    this.close(new LaneEndedError(this.id));
    this.#ending ??= this.#end(signal);
    return this.#ending;
  }

  /** Takes no more appends: those that wait are refused, those that were taken go on. */
  close(reason: Error): void {
    if (this.closed.aborted) return;
    this.#closed.abort(reason);
    for (const waiter of this.#waiters.clear()) waiter.refuse(reason);
    for (const { look } of this.#lookers.clear()) look();
  }

  /** The writer is lost: the outcome of all that was taken is unknown. */
  lose(error: Error): void {
    this.#lostError = error;
    this.close(error);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
    this.#settled?.();
  }

  // ---- the writer's side

  depart(entriesMax: number, bytesMax: number): Flight | undefined {
    return this.#window.depart(entriesMax, bytesMax);
  }

  landed(flight: Flight): void {
    this.#window.landed(flight);
  }

  /** R1: what is durable without a gap, and only while the lease holds after the store's answer. */
  acknowledge(holds: boolean): void {
    const tickets = this.#window.acknowledge(holds);
    for (const ticket of tickets) {
      const pending = this.#pending.get(ticket);
      this.#pending.delete(ticket);
      pending?.resolve(ticket.entries.map(({ seq, epoch }) => ({ seq, epoch })));
    }
    if (tickets.length > 0) this.#letIn();
    if (this.#window.settled && this.#pending.size === 0) this.#settled?.();
  }

  // ---- inside

  #take(entries: readonly NewEntry[], bytes: number): Promise<readonly Appended[]> {
    return this.#promised(this.#window.data(entries, bytes, this.#owner.nowMs()));
  }

  #promised(ticket: Ticket): Promise<readonly Appended[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Appended[]>();
    this.#pending.set(ticket, { resolve, reject });
    this.#owner.depart();
    return promise;
  }

  #fits(entries: number, bytes: number): boolean {
    const { windowEntries, windowBytes } = this.#owner.limits;
    const load = this.#window.load;
    if (load.entries === 0) return true;
    return load.entries + entries <= windowEntries && load.bytes + bytes <= windowBytes;
  }

  #wait(entries: readonly NewEntry[], bytes: number, signal: AbortSignal): Promise<readonly Appended[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Appended[]>();
    const leave = onAbort(signal, () => {
      const wasFirst = this.#waiters.first === waiter;
      leaveLine();
      reject(signal.reason as Error);
      if (wasFirst) this.#letIn();
    });
    const waiter: Waiter = {
      entries,
      bytes,
      take: () => {
        leave();
        resolve(this.#take(entries, bytes));
      },
      refuse: (error) => {
        leave();
        reject(error);
      },
    };
    const leaveLine = this.#waiters.join(waiter);
    return promise;
  }

  /** Those who wait, in their order, as far as there is room. */
  #letIn(): void {
    for (let next = this.#waiters.first; next !== undefined; next = this.#waiters.first) {
      if (!this.#fits(next.entries.length, next.bytes)) return;
      this.#waiters.shift();
      next.take();
    }
    this.#show();
  }

  /** Those who look: as many as there is room for, because thousands would look in vain at every acknowledgement. */
  #show(): void {
    const { windowEntries, windowBytes } = this.#owner.limits;
    const load = this.#window.load;
    let entries = windowEntries - load.entries;
    let bytes = windowBytes - load.bytes;
    // Where nothing is under way, nobody would ever be told again.
    while (load.entries === 0 || (entries > 0 && bytes > 0)) {
      const next = this.#lookers.shift();
      if (next === undefined) return;
      entries -= next.entries;
      bytes -= next.bytes;
      next.look();
    }
  }

  async #end(signal: AbortSignal): Promise<Seq> {
    if (!this.#window.settled || this.#pending.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#settled = resolve;
      await promise;
    }
    if (this.#lostError !== undefined) throw this.#lostError;
    invariant(this.#window.settled, "R1: a lane is ended only when nothing of it is under way");
    // A reader may have taken anything that was sent: so only the very tail, all of it durable, may be the end.
    await this.#owner.endAt(this, this.#window.tail, signal);
    return this.#window.tail;
  }
}
