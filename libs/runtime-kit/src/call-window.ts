/**
 * The inputs of a unit that were read and are not yet in its lanes: which are to be called, with which program, and
 * what came of it. It holds no promise and reads no clock; its owner calls the host.
 *
 * I6. A message is called with the program of the epoch of its own row, whatever else is under way.
 * P5. Where an epoch changes the program, the calls of the old one are finished before the first of the new one
 *     begins; where it does not, nothing stops.
 * I12. Behind an epoch whose duty is not known, nothing is called.
 */
import type { DataEntry, Entry, LaneId, Seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { invariant } from "@greco/domain/model";
import type { DeadLetterOrder, Invocation, Outcome, Output } from "@greco/ports";
import type { Duty, DutyAt } from "./duty.ts";
import { isDuty } from "./duty.ts";
import type { RuntimeLimits } from "./limits.ts";

/** Why an input goes to the dead letters. */
export type Letter = {
  readonly reason: string;
  readonly message: string;
  readonly attempts: number;
  /** The operator who gave the position up. */
  readonly by?: string;
};

/** What is to be done with an input, decided once. */
export type Verdict =
  | { readonly type: "outputs"; readonly outputs: readonly Output[] }
  | { readonly type: "dead-letter"; readonly letter: Letter }
  /** A marker, an input that the query does not read, or one that its `onError` skips. */
  | { readonly type: "nothing" };

/** An input in the window. Read it from outside; only the window writes. */
export type Slot = {
  readonly entry: Entry;
  /** Of the entry's epoch; undefined until it is known. */
  duty: DutyAt | undefined;
  /** `pausing`: before another attempt. */
  state: "waiting" | "calling" | "pausing" | "settled";
  attempts: number;
  verdict: Verdict | undefined;
};

/** A call of the host. Opaque to its owner but for what the host is given. */
export type Call = {
  readonly programId: string;
  readonly invocations: readonly Invocation[];
  readonly slots: readonly Slot[];
};

/** What came of a call. */
export type Settled = {
  /** To be given to `again` after a pause, together; `attempts` of the first tells how long. */
  readonly retry: readonly Slot[];
  readonly skipped: number;
};

export type CallWindowOptions = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  readonly limits: RuntimeLimits;
  /** Only benchmarks leave it out, to see what it costs: each message then runs under the newest duty known. */
  readonly epochCheck?: boolean;
};

const NOTHING: Verdict = { type: "nothing" };
/** Slots done before the array is compacted. */
const COMPACT_AT = 1_024;

export class CallWindow {
  readonly #options: CallWindowOptions;
  readonly #checks: boolean;
  /** From `#head` on: not done. From `#cursor` on: never called. From `#unassigned` on: without a duty. */
  readonly #slots: Slot[] = [];
  #head = 0;
  #cursor = 0;
  #unassigned = 0;
  #bytes = 0;
  /** Inputs whose calls are not finished, all of one program. */
  #unfinished = 0;
  #program: string | undefined;
  #calls = 0;
  readonly #again: (readonly Slot[])[] = [];
  readonly #duties = new Map<Epoch, DutyAt>();
  #lastEpoch: Epoch | undefined;
  #lastDuty: DutyAt | undefined;
  /** Positions given up by hand, until they come by. */
  readonly #orders = new Map<Seq, DeadLetterOrder>();

  constructor(options: CallWindowOptions) {
    this.#options = options;
    this.#checks = options.epochCheck ?? true;
  }

  /** Inputs held, and the bytes of their payloads. */
  get load(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#slots.length - this.#head, bytes: this.#bytes };
  }
  /** Calls under way. */
  get calls(): number {
    return this.#calls;
  }
  /** The oldest input that is not done. */
  get head(): Slot | undefined {
    return this.#slots[this.#head];
  }
  /** The epoch whose duty must be known before anything else can go on. */
  get wanted(): Epoch | undefined {
    return this.#slots[this.#unassigned]?.entry.epoch;
  }

  hasRoom(): boolean {
    const { windowEntries, windowBytes } = this.#options.limits;
    return this.load.entries < windowEntries && this.#bytes < windowBytes;
  }

  /** The next input of the lane. */
  take(entry: Entry): void {
    const slot: Slot = { entry, duty: undefined, state: "waiting", attempts: 0, verdict: undefined };
    this.#slots.push(slot);
    if (entry.kind === "data") this.#bytes += entry.payload.byteLength;
    if (this.#unassigned === this.#slots.length - 1) this.#assign();
  }

  /** What is to be done at an epoch, and its program is loaded. Said once for each epoch that is wanted. */
  learn(epoch: Epoch, duty: DutyAt): void {
    const oldest = this.head?.entry.epoch ?? 0;
    for (const known of this.#duties.keys()) if (known < oldest) this.#duties.delete(known);
    this.#duties.set(epoch, duty);
    this.#lastEpoch = epoch;
    this.#lastDuty = duty;
    this.#assign();
  }

  /** The next call to make, or undefined: nothing to call now. */
  nextCall(): Call | undefined {
    if (this.#calls >= this.#options.limits.unitCalls) return undefined;
    for (let slots = this.#again.shift(); slots !== undefined; slots = this.#again.shift()) {
      const left = slots.filter((slot) => slot.state === "pausing");
      if (left.length > 0) return this.#call(left);
    }
    while (this.#cursor < this.#unassigned && this.#slots[this.#cursor]?.state === "settled") this.#cursor++;
    const first = this.#slots[this.#cursor];
    if (first === undefined || !isDuty(first.duty)) return undefined;
    const program = first.duty.program.id;
    // P5: the calls of the old program finish first.
    if (this.#unfinished > 0 && this.#program !== program) return undefined;
    this.#program = program;
    return this.#call(this.#batch(program));
  }

  /** The host's answer. An input that was given up meanwhile keeps its verdict. */
  settle(call: Call, outcomes: readonly Outcome[]): Settled {
    invariant(outcomes.length === call.slots.length, "a host answers each invocation once");
    this.#calls -= 1;
    const retry: Slot[] = [];
    let skipped = 0;
    call.slots.forEach((slot, index) => {
      if (slot.state !== "calling") return;
      const outcome = outcomes[index] as Outcome;
      const { onError, to } = slot.duty as Duty;
      slot.attempts += 1;
      const failure = outcome.type === "failed" ? outcome : this.#tooMuch(outcome.outputs, to !== undefined);
      if (failure === undefined)
        this.#settleAs(slot, {
          type: "outputs",
          outputs: (outcome as Outcome & { type: "outputs" }).outputs,
        });
      else if (failure.retryable && slot.attempts <= onError.retries) {
        slot.state = "pausing";
        retry.push(slot);
      } else if (onError.then === "skip") {
        skipped += 1;
        this.#settleAs(slot, NOTHING);
      } else {
        const { reason, message } = failure;
        this.#settleAs(slot, { type: "dead-letter", letter: { reason, message, attempts: slot.attempts } });
      }
    });
    return { retry, skipped };
  }

  /** The host itself failed: no input is to blame, and the same call is made again. */
  failed(call: Call): void {
    this.#calls -= 1;
    const left = call.slots.filter((slot) => slot.state === "calling");
    for (const slot of left) slot.state = "pausing";
    this.#again.push(left);
  }

  /** The pause of these is over. */
  again(slots: readonly Slot[]): void {
    this.#again.push(slots);
  }

  /** An operator gives a position up: at once if it is here, else when it comes by. */
  giveUp(order: DeadLetterOrder): void {
    const first = this.head;
    const slot = first === undefined ? undefined : this.#slots[this.#head + order.seq - first.entry.seq];
    if (slot?.entry.kind === "data" && slot.entry.seq === order.seq) this.#giveUp(slot, order);
    else if (first === undefined || order.seq > first.entry.seq) this.#orders.set(order.seq, order);
  }

  /** The head is in the lanes, or needs nothing there. */
  shift(): void {
    const slot = this.head;
    invariant(slot?.state === "settled", "inputs leave in their order, once they are decided");
    if (slot.entry.kind === "data") this.#bytes -= slot.entry.payload.byteLength;
    this.#head += 1;
    this.#cursor = Math.max(this.#cursor, this.#head);
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#slots.length) return;
    this.#slots.splice(0, this.#head);
    this.#cursor -= this.#head;
    this.#unassigned -= this.#head;
    this.#head = 0;
  }

  #assign(): void {
    for (let slot = this.#slots[this.#unassigned]; slot !== undefined; slot = this.#slots[this.#unassigned]) {
      const duty = this.#dutyAt(slot.entry.epoch);
      if (duty === undefined) return;
      this.#unassigned += 1;
      slot.duty = duty;
      const { entry } = slot;
      if (entry.kind === "marker" || !isDuty(duty)) {
        slot.state = "settled";
        slot.verdict = NOTHING;
        continue;
      }
      const order = this.#orders.size > 0 ? this.#orders.get(entry.seq) : undefined;
      if (order !== undefined) this.#giveUp(slot, order);
    }
  }

  #dutyAt(epoch: Epoch): DutyAt | undefined {
    if (epoch === this.#lastEpoch || !this.#checks) return this.#lastDuty;
    const duty = this.#duties.get(epoch);
    if (duty === undefined) return undefined;
    this.#lastEpoch = epoch;
    this.#lastDuty = duty;
    return duty;
  }

  /** Inputs from the cursor on that go into one call. */
  #batch(program: string): Slot[] {
    const { callEntries, callBytes } = this.#options.limits;
    const slots: Slot[] = [];
    let bytes = 0;
    for (; this.#cursor < this.#unassigned && slots.length < callEntries; this.#cursor++) {
      const slot = this.#slots[this.#cursor] as Slot;
      if (slot.state === "settled") continue;
      if ((slot.duty as Duty).program.id !== program) break;
      bytes += (slot.entry as DataEntry).payload.byteLength;
      if (slots.length > 0 && bytes > callBytes) break;
      slots.push(slot);
    }
    this.#unfinished += slots.length;
    return slots;
  }

  #call(slots: readonly Slot[]): Call {
    this.#calls += 1;
    for (const slot of slots) slot.state = "calling";
    const { query, lane } = this.#options;
    const invocations = slots.map(({ entry }): Invocation => {
      const { payload, key, seq, epoch } = entry as DataEntry;
      return { payload, key, idempotencyKey: `${query}/${lane}/${seq}`, context: { lane, seq, epoch } };
    });
    return { programId: (slots[0]?.duty as Duty).program.id, invocations, slots };
  }

  #giveUp(slot: Slot, { actor, reason }: DeadLetterOrder): void {
    this.#orders.delete(slot.entry.seq);
    if (slot.state === "settled") return;
    const letter = { reason: "GIVEN_UP", message: reason, attempts: slot.attempts, by: actor };
    this.#settleAs(slot, { type: "dead-letter", letter });
  }

  #settleAs(slot: Slot, verdict: Verdict): void {
    if (slot.state !== "waiting") this.#unfinished -= 1;
    slot.state = "settled";
    slot.verdict = verdict;
  }

  /** An append is bounded, so what does not fit is the program's failure. */
  #tooMuch(outputs: readonly Output[], hasStream: boolean): (Outcome & { type: "failed" }) | undefined {
    const { outputBytes, outputEntries } = this.#options.limits;
    const failed = (reason: string, message: string) =>
      ({ type: "failed", reason, message, retryable: false }) as const;
    if (outputs.length === 0) return undefined;
    if (!hasStream) return failed("OUTPUT_WITHOUT_STREAM", "this query writes to no stream, but has outputs");
    if (outputs.length > outputEntries)
      return failed("OUTPUT_TOO_LARGE", `${outputs.length} outputs of one input; at most ${outputEntries}`);
    const bytes = outputs.reduce((sum, output) => sum + output.payload.byteLength, 0);
    if (bytes <= outputBytes) return undefined;
    return failed("OUTPUT_TOO_LARGE", `outputs of ${bytes} bytes of one input; at most ${outputBytes}`);
  }
}
