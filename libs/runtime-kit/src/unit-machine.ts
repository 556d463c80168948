/**
 * One query on one input lane, as a machine: what is called, what is appended where, in which order, which markers
 * enter the derived lanes, when they open and end. It holds no promise and reads no clock; `unit.ts` carries it out.
 *
 * I6. A row of a derived lane stands behind the marker of every epoch that its query's program has passed, and before
 *     that of every epoch which it has not: a message meets old query then old query, or new then new.
 * I7. Markers only grow (and R4: in ledger order, each waiting for every lower one that is still to be forwarded).
 * I8. All rows of one input in one stream are one append, in input order; and no row of an input is sent to a lane
 *     before the rows of earlier inputs in the unit's *other* lanes are durable. So the greatest input position found
 *     in any of the lanes says: up to here everything is done. That is what a takeover goes by (recovery.ts).
 */
import type { EpochIndex } from "@greco/domain/epoch";
import type { EntrySource, LaneId, Seq } from "@greco/domain/lane";
import { dueMarkers, seq as toSeq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { DEAD_LETTERS_STREAM, invariant } from "@greco/domain/model";
import type { NewEntry } from "@greco/lane-kit";
import type { DeadLetterOrder, Outcome } from "@greco/ports";
import type { Call, Settled, Slot } from "./call-window.ts";
import { CallWindow } from "./call-window.ts";
import { deadLetterEntry } from "./dead-letter.ts";
import type { Position, Ticket } from "./durable-position.ts";
import { DurablePosition } from "./durable-position.ts";
import type { DutyAt } from "./duty.ts";
import { isDuty } from "./duty.ts";
import type { RuntimeLimits } from "./limits.ts";

/** The unit's lanes: one for the outputs, one for dead letters once there is one. */
export type Target = "output" | "dead-letters";

export type Step =
  /** Answer with `opened` or leave it: nothing else is done meanwhile. */
  | {
      readonly type: "open";
      readonly target: Target;
      readonly stream: EntityIdentity;
      readonly retentionMs?: number;
      /** Behind this input, whose epoch it names. */
      readonly after: Position;
    }
  /** Answer with `ended`. */
  | { readonly type: "end"; readonly target: Target }
  /** R7, for a query without derived lanes: everything before the marker is durable. Answer with `crossed`. */
  | { readonly type: "cross"; readonly epoch: Epoch }
  /** Issued in this order, not waited for; `acknowledged(row)` once durable. */
  | {
      readonly type: "append";
      readonly target: Target;
      readonly entries: readonly NewEntry[];
      readonly row: Row;
    }
  /** The same; a marker that stands for no input position has no row. */
  | {
      readonly type: "marker";
      readonly target: Target;
      readonly epoch: Epoch;
      readonly source?: Omit<EntrySource, "index">;
      readonly row?: Row;
    }
  /** Every marker up to `epoch` is in the lane. */
  | { readonly type: "advance"; readonly target: Target; readonly epoch: Epoch }
  /**
   * All lanes have ended; nothing comes any more. `done`: nor will it ever. `removedAt`: because the query was removed
   * at this epoch, while the input lane goes on.
   */
  | { readonly type: "finish"; readonly done: boolean; readonly removedAt?: Epoch };

/** Whether a lane takes an append of this size at once. */
export type Room = (target: Target, entries: number, bytes: number) => boolean;

type Lane = {
  readonly stream: EntityIdentity;
  readonly retentionMs: number | undefined;
  /** Every marker up to here was issued. */
  current: Epoch;
  /** Rows under way that stand for an input, and how many of them for the newest such input. */
  unacknowledged: number;
  newest: Seq;
  ofNewest: number;
};

/** What was issued to a lane for an input. */
export type Row = { readonly lane: Lane; readonly ticket: Ticket };

export type UnitMachineOptions = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  /** The input lane's stream. */
  readonly stream: EntityIdentity;
  readonly index: EpochIndex;
  /** Everything up to here was done by others. `epoch`: of that input; 0 before the first. */
  readonly start: Position;
  readonly limits: RuntimeLimits;
  readonly epochCheck?: boolean;
};

const isRecorded = (duty: DutyAt | undefined): boolean => isDuty(duty) && duty.to === undefined;

export class UnitMachine {
  readonly window: CallWindow;
  readonly #options: UnitMachineOptions;
  readonly #positions: DurablePosition;
  readonly #lanes = new Map<Target, Lane>();
  /** At `#epoch`; undefined: the first input says it. */
  #duty: DutyAt | undefined;
  /** The epoch at the position that was issued last. */
  #epoch: Epoch;
  /** The position that stands for `#epoch`, for markers that are forwarded. */
  #crossing: Ticket | undefined;
  #markersDue = false;
  /** A step that is answered is under way. */
  #busy = false;
  #ended: "no" | "input" | "stop" = "no";
  #finished = false;
  #lettersDropped = 0;

  constructor(options: UnitMachineOptions) {
    this.#options = options;
    this.#epoch = options.start.epoch;
    this.#positions = new DurablePosition(options.start);
    this.window = new CallWindow(options);
  }

  /** Up to here everything is durable: what a checkpoint says. */
  get done(): Position {
    return this.#positions.done;
  }
  /** Up to here everything was issued to the lanes. */
  get issued(): Position {
    return this.#positions.issued;
  }
  get hasEnded(): boolean {
    return this.#ended !== "no";
  }
  /** Dead letters of dead letters, which would never end. */
  get lettersDropped(): number {
    return this.#lettersDropped;
  }

  /** What is to be done at the position where it starts, so that its lane opens before the first input comes. */
  begin(duty: DutyAt): void {
    this.#duty = duty;
  }
  /** The ledger has grown. */
  grow(): void {
    this.#markersDue = true;
  }
  /** Everything of the input lane was taken. */
  inputEnded(): void {
    if (this.#ended === "no") this.#ended = "input";
  }
  /** No more is called; what was called is finished, then the lanes end. */
  stop(): void {
    this.#ended = "stop";
  }

  nextCall(): Call | undefined {
    return this.#ended === "stop" ? undefined : this.window.nextCall();
  }
  settle(call: Call, outcomes: readonly Outcome[]): Settled {
    return this.window.settle(call, outcomes);
  }
  giveUp(order: DeadLetterOrder): void {
    this.window.giveUp(order);
  }

  /** The next thing to do, or undefined: nothing now. Asked again after every answer and every event. */
  next(room: Room): Step | undefined {
    if (this.#busy || this.#finished) return undefined;
    for (;;) {
      const step = this.#marker() ?? this.#align();
      if (step === "wait") return undefined;
      if (step !== undefined) return step;
      if (this.#duty === "over" && this.#crossing === undefined) return this.#finish(true);
      const slot = this.window.head;
      if (slot === undefined) return this.#ended === "no" ? undefined : this.#finish(this.#ended === "input");
      if (this.#ended === "stop" && !this.#isStillCalled(slot)) return this.#finish(false);
      // I12: a position whose duty is not known is not passed.
      if (slot.duty === undefined) return undefined;
      if (slot.entry.epoch > this.#epoch) {
        const crossing = this.#cross(slot);
        if (crossing !== "crossed") return crossing;
        continue;
      }
      const taken = this.#pass(slot, room);
      if (taken !== "passed") return taken;
    }
  }

  opened(target: Target, openAt: Epoch): void {
    const step = this.#wanted(target);
    this.#busy = false;
    this.#lanes.set(target, {
      stream: step.stream,
      retentionMs: step.retentionMs,
      current: openAt,
      unacknowledged: 0,
      newest: toSeq(0),
      ofNewest: 0,
    });
    this.#markersDue = true;
  }
  ended(target: Target): void {
    this.#busy = false;
    this.#lanes.delete(target);
  }
  crossed(): void {
    this.#busy = false;
    this.#enter(this.window.head as Slot);
  }
  acknowledged({ lane, ticket }: Row): void {
    lane.unacknowledged -= 1;
    this.#positions.acknowledge(ticket);
  }

  /** R4: the markers that are due in any lane, lane by lane. */
  #marker(): Step | "wait" | undefined {
    if (!this.#markersDue) return undefined;
    const { index, stream: input } = this.#options;
    for (const [target, lane] of this.#lanes) {
      const streams = { input, output: lane.stream };
      const due = dueMarkers(index, streams, lane.current, this.#epoch);
      const [epoch] = due.markers;
      if (epoch !== undefined) {
        const step = this.#markerStep(target, lane, epoch);
        if (step !== "wait") lane.current = epoch;
        return step;
      }
      if (due.current > lane.current) {
        lane.current = due.current;
        return { type: "advance", target, epoch: due.current };
      }
    }
    this.#markersDue = false;
    return undefined;
  }

  #markerStep(target: Target, lane: Lane, epoch: Epoch): Step | "wait" {
    const crossing = this.#crossing;
    // Inserted: it stands for no position of the input.
    if (crossing === undefined || epoch !== crossing.epoch) return { type: "marker", target, epoch };
    if (this.#mustWait(target, crossing.upTo)) return "wait";
    const { query, lane: inputLane } = this.#options;
    this.#issue(lane, crossing.upTo);
    crossing.pending += 1;
    const source = { query, lane: inputLane, seq: crossing.upTo };
    return { type: "marker", target, epoch, source, row: { lane, ticket: crossing } };
  }

  /** The lanes that the duty at this position needs: those that are not its own end, its own open. */
  #align(): Step | "wait" | undefined {
    const duty = this.#duty;
    if (duty === undefined) return undefined;
    const to = isDuty(duty) ? duty.to : undefined;
    const output = this.#lanes.get("output");
    if (output !== undefined && (output.stream !== to?.stream || output.retentionMs !== to.retentionMs))
      return this.#end("output");
    if (this.#lanes.has("dead-letters") && !isDuty(duty)) return this.#end("dead-letters");
    if (to === undefined || output !== undefined || this.#ended === "stop") return undefined;
    if (this.#ended === "input" && this.window.head === undefined) return undefined;
    return this.#open("output");
  }

  /** Takes the unit into the epoch of the head. */
  #cross(slot: Slot): Step | "crossed" | undefined {
    // R7: without a derived lane, the record says it, once everything before it is durable.
    if (isRecorded(this.#duty) || isRecorded(slot.duty)) {
      if (!this.#positions.isSettled) return undefined;
      this.#busy = true;
      return { type: "cross", epoch: slot.entry.epoch };
    }
    this.#enter(slot);
    return "crossed";
  }

  #enter({ entry, duty }: Slot): void {
    invariant(entry.epoch > this.#epoch, "I7: epochs in a lane only grow");
    this.#epoch = entry.epoch;
    this.#duty = duty;
    this.#markersDue = true;
    // A data row that shows a new epoch stands behind a marker that is not retained any more: the one before it.
    const position = entry.kind === "marker" ? entry.seq : toSeq(entry.seq - 1);
    this.#crossing = this.#positions.hold(position, entry.epoch);
  }

  #pass(slot: Slot, room: Room): Step | "passed" | undefined {
    const { entry, verdict } = slot;
    this.#release();
    if (verdict === undefined) return undefined;
    const target = verdict.type === "dead-letter" ? "dead-letters" : "output";
    const entries = this.#rows(slot);
    if (entries.length === 0) {
      this.#positions.issue(entry.seq, entry.epoch, 0);
      this.window.shift();
      return "passed";
    }
    const lane = this.#lanes.get(target);
    if (lane === undefined) {
      if (this.#ended === "stop") return this.#finish(false);
      const step = this.#open(target);
      return step === "wait" ? undefined : step;
    }
    const bytes = entries.reduce((sum, each) => sum + each.payload.byteLength + each.key.length, 0);
    if (this.#mustWait(target, entry.seq) || !room(target, entries.length, bytes)) return undefined;
    this.#issue(lane, entry.seq);
    const ticket = this.#positions.issue(entry.seq, entry.epoch, 1);
    this.window.shift();
    return { type: "append", target, entries, row: { lane, ticket } };
  }

  #rows({ entry, verdict }: Slot): readonly NewEntry[] {
    const { query, lane, stream } = this.#options;
    if (entry.kind === "marker" || verdict === undefined || verdict.type === "nothing") return [];
    const source = { query, lane, seq: entry.seq };
    if (verdict.type === "outputs")
      return verdict.outputs.map(({ key, payload }, index) => ({
        key,
        payload,
        source: { ...source, index },
      }));
    if (stream !== DEAD_LETTERS_STREAM) return [deadLetterEntry(query, lane, entry, verdict.letter)];
    this.#lettersDropped += 1;
    return [];
  }

  /** I8: earlier inputs' rows in other lanes first. */
  #mustWait(target: Target, seq: Seq): boolean {
    for (const [other, lane] of this.#lanes) {
      if (other === target) continue;
      const ofThisInput = lane.newest === seq ? lane.ofNewest : 0;
      if (lane.unacknowledged > ofThisInput) return true;
    }
    return false;
  }

  #issue(lane: Lane, seq: Seq): void {
    lane.unacknowledged += 1;
    lane.ofNewest = lane.newest === seq ? lane.ofNewest + 1 : 1;
    lane.newest = seq;
  }

  #wanted(target: Target): { stream: EntityIdentity; retentionMs: number | undefined } {
    if (target === "dead-letters") return { stream: DEAD_LETTERS_STREAM, retentionMs: undefined };
    const to = isDuty(this.#duty) ? this.#duty.to : undefined;
    invariant(to !== undefined, "a lane opens for the duty at the position");
    return { stream: to.stream, retentionMs: to.retentionMs };
  }

  /** Its first row names an input position, so that everything up to it must be durable in the other lanes. */
  #open(target: Target): Step | "wait" {
    for (const lane of this.#lanes.values()) if (lane.unacknowledged > 0) return "wait";
    const { stream, retentionMs } = this.#wanted(target);
    this.#busy = true;
    const after = { seq: this.#positions.issued.seq, epoch: this.#epoch };
    return { type: "open", target, stream, after, ...(retentionMs === undefined ? {} : { retentionMs }) };
  }

  #end(target: Target): Step {
    this.#busy = true;
    return { type: "end", target };
  }

  #finish(done: boolean): Step | undefined {
    this.#release();
    for (const target of this.#lanes.keys()) return this.#end(target);
    if (!this.#positions.isSettled) return undefined;
    this.#finished = true;
    if (this.#duty !== "over") return { type: "finish", done };
    return { type: "finish", done, removedAt: this.#epoch };
  }

  /** All markers of the epoch were issued: its position counts once they are durable. */
  #release(): void {
    if (this.#crossing !== undefined) this.#positions.acknowledge(this.#crossing);
    this.#crossing = undefined;
  }

  /** When stopping: what is decided is still appended, what is being called is waited for. */
  #isStillCalled(slot: Slot): boolean {
    return slot.state === "settled" || this.window.calls > 0;
  }
}
