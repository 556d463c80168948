/**
 * One lane in a seeded simulation, in the style of an explicit-state model: a writer that may stop anywhere for any time
 * and go on as a zombie, a store whose answers may be lost and whose writes may land late or twice, two readers, two
 * sealers. The decisions are those of this folder; the simulation only delays and loses. `sabotage` takes one rule away,
 * to show that the checks would notice.
 */
import { EpochIndex } from "../epoch/epoch-index.ts";
import type { EntityIdentity } from "../model/ids.ts";
import { candidateId, epoch, modelId } from "../model/ids.ts";
import type { Flight } from "./append-window.ts";
import { AppendWindow } from "./append-window.ts";
import type { Entry, LaneState, Seq, WriterLease } from "./entry.ts";
import { seq, writerId } from "./entry.ts";
import { leaseSeen } from "./lease-view.ts";
import type { LeaseView } from "./lease-view.ts";
import type { Lease } from "./lease.ts";
import {
  leaseChecked,
  leaseCreated,
  leaseHolds,
  renewalDone,
  renewalReadBack,
  renewalSent,
} from "./lease.ts";
import { dueFromLedger } from "./marker-order.ts";
import { countable } from "./reader-rule.ts";
import type { SealState } from "./seal-steps.ts";
import { sealStep } from "./seal-steps.ts";

export type Sabotage =
  | "acknowledge-without-the-prefix"
  | "ask-the-lease-before-the-answer"
  | "count-the-lease-from-the-answer"
  | "renew-a-lapsed-lease"
  | "other-rows-after-an-unknown-outcome"
  | "seal-too-soon"
  | "read-the-tail-before-the-waits"
  | "read-the-tail-weakly"
  | "read-on-while-it-is-sealed"
  | "markers-out-of-order";

export type SimulationResult = {
  readonly violations: readonly string[];
  readonly acknowledged: number;
  readonly consumed: number;
  readonly sealed: boolean;
};

const LEASE = 60;
const STEPS = 1200;
const TIMING = { leaseMs: LEASE, marginMs: 1 };
const STREAM = "stream/s@1" as EntityIdentity;
const MODEL = modelId("m");
const WRITER = writerId("w");

type AppendCall = {
  readonly flight: Flight;
  readonly rows: readonly Entry[];
  readonly heldWhenSent: boolean;
  /** How likely it lands at a step: most calls are quick, some very late. */
  readonly haste: number;
  applied: boolean;
  answered: boolean;
};
type RenewCall = { readonly count: number; outcome?: WriterLease | "refused"; answered: boolean };
type Reader = {
  from: Seq;
  taken: Entry[];
  view?: LeaseView;
  rows?: readonly Entry[];
  seen?: { state: LaneState; lease: WriterLease };
  ended: boolean;
};
type Sealer = { state?: SealState; atMs: number; answer?: { lease: WriterLease }; tail?: Seq };

/** A small seeded generator: the same seed is the same run. */
function seeded(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below;
  };
}

class LaneSimulation {
  readonly #random: (below: number) => number;
  readonly #sabotage: Sabotage | undefined;
  #now = 0;
  // ---- the store
  readonly #rows = new Map<number, Entry>();
  #state: LaneState = { closeRequested: false, firstRetained: seq(1) };
  #lease: WriterLease = { writer: WRITER, count: 0, state: "held" };
  readonly #ledger = new EpochIndex();
  // ---- the writer
  readonly #window = new AppendWindow(epoch(0));
  #own: Lease = leaseCreated(this.#lease, 0, TIMING);
  #current = epoch(0);
  #calls: AppendCall[] = [];
  #renewal: RenewCall | undefined;
  #readBack = false;
  #pausedUntil = 0;
  #published = 0;
  readonly #acknowledged = new Map<number, string>();
  // ---- the others
  readonly #readers: Reader[] = [0, 1].map(() => ({ from: seq(1), taken: [], ended: false }));
  readonly #sealers: Sealer[] = [0, 1].map(() => ({ atMs: 0 }));
  readonly #violations: string[] = [];

  constructor(seed: number, sabotage: Sabotage | undefined) {
    this.#random = seeded(seed);
    this.#sabotage = sabotage;
  }

  run(): SimulationResult {
    this.#window.open(undefined, 0);
    for (let step = 0; step < STEPS; step += 1) this.#step();
    this.#judge();
    return {
      violations: this.#violations,
      acknowledged: this.#acknowledged.size,
      consumed: this.#readers[0]?.taken.length ?? 0,
      sealed: this.#state.end !== undefined,
    };
  }

  #is(sabotage: Sabotage): boolean {
    return this.#sabotage === sabotage;
  }

  #chance(part: number): boolean {
    return this.#random(1) < part;
  }

  #step(): void {
    if (this.#chance(0.5)) this.#now += 1 + Math.floor(this.#random(4));
    if (this.#chance(0.005)) this.#pausedUntil = this.#now + this.#random(6 * LEASE);
    this.#storeMoves();
    if (this.#now >= this.#pausedUntil) this.#writerMoves();
    for (const reader of this.#readers) if (this.#chance(0.4)) this.#readerMoves(reader);
    for (const sealer of this.#sealers) if (this.#chance(0.4)) this.#sealerMoves(sealer);
  }

  // ---- the store: applies late, in any order, also what nobody waits for any more

  #storeMoves(): void {
    for (const call of this.#calls) {
      if (call.applied || !this.#chance(call.haste)) continue;
      call.applied = true;
      for (const row of call.rows) {
        const before = this.#rows.get(row.seq);
        this.#rows.set(row.seq, row);
        if (before !== undefined && text(before) !== text(row))
          this.#violations.push(`R1: seq ${row.seq} has two contents`);
      }
    }
    const renewal = this.#renewal;
    if (renewal !== undefined && renewal.outcome === undefined && this.#chance(0.2)) {
      const swaps = this.#lease.state === "held" && this.#lease.count === renewal.count;
      if (swaps) this.#lease = { ...this.#lease, count: renewal.count + 1 };
      renewal.outcome = swaps ? this.#lease : "refused";
    }
    if (this.#ledger.newest < 6 && this.#chance(0.02)) this.#commit();
  }

  #commit(): void {
    this.#ledger.add({
      model: MODEL,
      epoch: epoch(this.#ledger.newest + 1),
      candidate: candidateId("c"),
      scope: this.#chance(0.7) ? [STREAM] : [],
      bindings: [],
      committedAtMs: 0,
    });
  }

  // ---- the writer

  #writerMoves(): void {
    this.#renewals();
    const lost = this.#own.phase === "lost";
    if (!lost && this.#published < 120 && this.#chance(0.3)) this.#publish();
    if (!lost && this.#chance(0.2)) this.#markers();
    if (!lost && this.#calls.filter((call) => !call.answered).length < 3 && this.#chance(0.5)) {
      const flight = this.#window.depart(4, 1000);
      if (flight !== undefined) this.#send(flight, flight.entries);
    }
    for (const call of [...this.#calls]) this.#answer(call);
    this.#acknowledge(leaseHolds(this.#own, this.#now));
  }

  #publish(): void {
    const count = 1 + Math.floor(this.#random(3));
    const items = Array.from({ length: count }, () => {
      this.#published += 1;
      return { key: `m${this.#published}`, payload: new Uint8Array() };
    });
    this.#window.data(items, count, this.#now);
  }

  #markers(): void {
    const { markers, current } = dueFromLedger(this.#ledger, STREAM, this.#current, this.#ledger.newest);
    const order = this.#is("markers-out-of-order") ? markers.toReversed() : markers;
    for (const due of order) {
      try {
        this.#window.marker(due, undefined, this.#now);
      } catch (error) {
        this.#violations.push(error instanceof Error ? error.message : String(error));
      }
    }
    this.#current = current;
  }

  #send(flight: Flight, rows: readonly Entry[]): void {
    const heldWhenSent = leaseHolds(this.#own, this.#now);
    const haste = this.#chance(0.1) ? 0.002 : 0.2;
    this.#calls.push({ flight, rows, heldWhenSent, haste, applied: false, answered: false });
  }

  #answer(call: AppendCall): void {
    if (call.answered) return;
    if (call.applied && this.#chance(0.4)) {
      call.answered = true;
      this.#window.landed(call.flight);
      if (this.#is("acknowledge-without-the-prefix") && leaseHolds(this.#own, this.#now))
        this.#confirm(call.flight.entries);
      if (this.#is("ask-the-lease-before-the-answer")) this.#acknowledge(call.heldWhenSent);
    } else if (this.#chance(0.02)) {
      // The outcome is unknown: it may have been applied, or may yet be. The same rows again (R1).
      call.answered = true;
      const other = this.#is("other-rows-after-an-unknown-outcome");
      const rows = other
        ? call.rows.map((row) => (row.kind === "data" ? { ...row, key: `${row.key}'` } : row))
        : call.rows;
      this.#send(call.flight, rows);
    }
  }

  #acknowledge(holds: boolean): void {
    for (const ticket of this.#window.acknowledge(holds)) this.#confirm(ticket.entries);
  }

  #confirm(entries: readonly Entry[]): void {
    for (const entry of entries) this.#acknowledged.set(entry.seq, text(entry));
  }

  #renewals(): void {
    const answered = this.#renewal?.outcome !== undefined;
    if (this.#is("count-the-lease-from-the-answer") && answered && this.#own.phase === "held")
      this.#own = { ...this.#own, renewalSentMs: this.#now };
    this.#own = leaseChecked(this.#own, this.#now, TIMING);
    if (this.#is("renew-a-lapsed-lease") && this.#own.phase === "lost")
      this.#own = { phase: "held", count: this.#lease.count, holdsUntilMs: this.#now + 1 };
    if (this.#own.phase === "lost") return;
    if (this.#readBack && this.#chance(0.3)) {
      this.#own = renewalReadBack(this.#own, this.#lease);
      this.#readBack = false;
    } else if (this.#renewal === undefined && !this.#readBack && this.#chance(0.2)) {
      this.#own = renewalSent(this.#own, this.#now);
      if (this.#own.phase === "held") this.#renewal = { count: this.#own.count, answered: false };
    } else if (this.#renewal?.outcome !== undefined && this.#chance(0.3)) {
      const { outcome } = this.#renewal;
      this.#renewal = undefined;
      if (outcome === "refused" || this.#chance(0.1)) this.#readBack = true;
      else this.#own = renewalDone(this.#own, outcome, TIMING);
    }
  }

  // ---- readers: the rows first, then the state, then the decision, each at its own time

  #readerMoves(reader: Reader): void {
    if (reader.ended) return;
    if (reader.rows === undefined) reader.rows = this.#gapless(reader.from);
    else if (reader.seen === undefined) reader.seen = { state: this.#state, lease: this.#lease };
    else {
      reader.view = leaseSeen(reader.view, reader.seen.lease, this.#now);
      const { from, rows, seen, view } = reader;
      const taken = this.#is("read-on-while-it-is-sealed")
        ? {
            entries: rows,
            ended: seen.state.end !== undefined && from + rows.length > seen.state.end,
          }
        : countable(from, rows, seen.state, view, this.#now, LEASE);
      reader.taken.push(...taken.entries);
      reader.from = seq(from + taken.entries.length);
      reader.ended = taken.ended;
      delete reader.rows;
      delete reader.seen;
    }
  }

  #gapless(from: number): Entry[] {
    const rows: Entry[] = [];
    for (let next = this.#rows.get(from); next !== undefined; next = this.#rows.get(next.seq + 1)) {
      rows.push(next);
      if (rows.length === 5) break;
    }
    return rows;
  }

  #tail(): Seq {
    let last = 0;
    while (this.#rows.has(last + 1)) last += 1;
    return seq(this.#is("read-the-tail-weakly") ? Math.max(0, last - 1) : last);
  }

  // ---- sealers

  #sealerMoves(sealer: Sealer): void {
    if (this.#state.end !== undefined || this.#now < sealer.atMs) return;
    if (sealer.answer === undefined && sealer.state?.phase !== "ending") {
      sealer.answer = { lease: this.#lease };
      if (this.#is("read-the-tail-before-the-waits")) sealer.tail ??= this.#tail();
      return;
    }
    const lease = sealer.answer?.lease;
    const patience = this.#is("seal-too-soon") ? LEASE / 8 : LEASE;
    const { state, next } = sealStep(sealer.state, lease, this.#now, patience);
    delete sealer.answer;
    if (next.type === "leave") {
      delete sealer.state;
      delete sealer.tail;
      return;
    }
    sealer.state = state;
    if (next.type === "look") sealer.atMs = Math.min(next.atMs, this.#now + LEASE / 4);
    else if (next.type === "close") this.#close(sealer, next.count);
    else if (sealer.tail === undefined) sealer.tail = this.#tail();
    else {
      this.#state = { ...this.#state, end: sealer.tail };
      this.#lease = { ...this.#lease, state: "closed" };
    }
  }

  #close(sealer: Sealer, count: number): void {
    if (this.#lease.state === "held" && this.#lease.count === count)
      this.#lease = { ...this.#lease, state: "closing" };
    sealer.answer = { lease: this.#lease };
  }

  // ---- what must hold

  #judge(): void {
    const end = this.#state.end ?? Number.MAX_SAFE_INTEGER;
    for (const [position, content] of this.#acknowledged) {
      if (position > end) this.#violations.push(`I8: acknowledged seq ${position} is beyond the end ${end}`);
      const row = this.#rows.get(position);
      if (row === undefined || text(row) !== content)
        this.#violations.push(`I8: acknowledged seq ${position} is lost or overwritten`);
    }
    for (const reader of this.#readers) {
      reader.taken.forEach((row, index) => {
        if (row.seq !== index + 1) this.#violations.push(`I8: a reader takes seq ${row.seq} out of order`);
        if (row.seq > end) this.#violations.push(`I6: a reader takes seq ${row.seq} beyond the end ${end}`);
        if (text(this.#rows.get(row.seq)) !== text(row))
          this.#violations.push(`I6: seq ${row.seq} changed after it was read`);
      });
      if (reader.ended && reader.taken.length !== end)
        this.#violations.push(`I6: a reader ends at ${reader.taken.length}, not at ${end}`);
    }
    this.#judgeEpochs(end);
  }

  #judgeEpochs(end: number): void {
    let reached = -1;
    for (let at = 1; at <= end; at += 1) {
      const row = this.#rows.get(at);
      if (row === undefined) break;
      const grows = row.kind === "marker" ? row.epoch > reached : row.epoch === reached;
      if (!grows) this.#violations.push(`I7: seq ${at} has epoch ${row.epoch} behind ${reached}`);
      reached = row.epoch;
    }
  }
}

const text = (row: Entry | undefined): string =>
  row === undefined ? "" : `${row.kind} ${row.epoch} ${row.kind === "data" ? row.key : ""}`;

export function simulateLane(seed: number, sabotage?: Sabotage): SimulationResult {
  return new LaneSimulation(seed, sabotage).run();
}
