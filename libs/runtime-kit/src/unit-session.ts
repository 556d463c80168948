/**
 * Carries out a unit's machine: reads the input lane, asks what is to be done at each epoch, calls the host, writes the
 * lanes, keeps checkpoints. One session goes from a position found in the store to the end, or to its first trouble;
 * then `unit.ts` ends its lanes and begins another one from what is stored.
 *
 * Steps are carried out one after another, in one loop; what they wait for comes back as events that run it again.
 */
import type { LaneInfo, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { epoch as toEpoch, InvariantError, invariant } from "@greco/domain/model";
import type { OpenLane } from "@greco/lane-kit";
import { Hint, persist, readLane } from "@greco/lane-kit";
import type { LaneRecord } from "@greco/ports";
import { BelowRetentionError, wakeTopics } from "@greco/ports";
import { Bell } from "./bell.ts";
import type { Call, Slot } from "./call-window.ts";
import type { Position } from "./durable-position.ts";
import type { DutyAt } from "./duty.ts";
import { isDuty } from "./duty.ts";
import { holdText, isHold } from "./query-catalog.ts";
import type { Recovered, Tip } from "./recovery.ts";
import type { Row, Step, Target } from "./unit-machine.ts";
import { UnitMachine } from "./unit-machine.ts";
import type { UnitWorld } from "./unit-world.ts";

/** What a checkpoint names of lanes that have ended: those of the newest switches; older ones have ends already. */
const ENDED_LANES_NAMED = 8;
/** Beside payload and key; more than a lane counts for a row, so that what has room here has room there. */
const ROW_BYTES = 128;
/** Bytes that a unit may take before it tells the budget. */
const BYTES_UNACCOUNTED = 256 * 1024;

export type SessionOptions = {
  readonly world: UnitWorld;
  readonly query: EntityIdentity;
  readonly input: LaneRecord;
  readonly recovered: Recovered;
};

export class UnitSession {
  readonly machine: UnitMachine;
  readonly #world: UnitWorld;
  readonly #query: EntityIdentity;
  readonly #input: LaneInfo;
  readonly #start: Position;
  readonly #tips: Map<EntityIdentity, Tip>;
  readonly #lanes = new Map<Target, OpenLane>();
  readonly #ended: { lane: LaneInfo["id"]; seq: Seq }[] = [];
  readonly #programs: { readonly epoch: Epoch; readonly id: string }[] = [];
  readonly #over = new AbortController();
  /** Nothing is waited for any more that is not under way. */
  readonly #leaving = new AbortController();
  readonly #finished = Promise.withResolvers<boolean>();
  readonly #news = new Bell();
  readonly #checkpointDue = new Hint();
  readonly #tasks = new Set<Promise<void>>();
  #turning = false;
  #due = false;
  #bytes = 0;
  #holding: string | undefined;
  #hostTrouble = 0;
  #wasWoken = false;
  #written: { readonly seq: Seq; readonly holding: string | undefined } | undefined;

  constructor({ world, query, input, recovered }: SessionOptions) {
    this.#world = world;
    this.#query = query;
    this.#input = input.info;
    this.#start = recovered.start;
    this.#tips = new Map(recovered.tips);
    const { ledger, limits, epochCheck } = world;
    const { id: lane, stream } = input.info;
    const { start } = recovered;
    this.machine = new UnitMachine({
      query,
      lane,
      stream,
      index: ledger.index,
      start,
      limits,
      ...(epochCheck === undefined ? {} : { epochCheck }),
    });
  }

  /** Why it does not go on. */
  get holding(): string | undefined {
    return this.#holding;
  }

  /** True: all is done that ever will be. False: stopped, and somebody else may go on. Its lanes have ended. */
  async run(signal: AbortSignal): Promise<boolean> {
    const { ledger, budget, places } = this.#world;
    const inner = AbortSignal.any([signal, this.#over.signal]);
    const abort = (): void => this.#finished.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const forget = [
      () => signal.removeEventListener("abort", abort),
      ledger.onGrow((entry) => {
        this.machine.grow();
        this.#schedule();
        this.#preload(entry.epoch);
      }),
      budget.onRoom(() => this.#news.ring()),
      () => {
        places.forget(this.#query, this.#placeLeft);
        this.#passPlace();
      },
    ];
    try {
      this.#run(this.#begin(inner));
      return await this.#finished.promise;
    } finally {
      this.#over.abort(new Error("the session is over"));
      for (const each of forget) each();
      await Promise.all(this.#tasks);
      this.#account(0);
      this.#world.counts.lettersDropped += this.machine.lettersDropped;
      for (const { id } of this.#programs.splice(0)) this.#world.pool.release(id);
    }
  }

  /** Finishes what was called and ends the lanes; `run` then answers false. */
  stop(): void {
    this.machine.stop();
    this.#leaving.abort(new Error("the session stops"));
    this.#schedule();
    this.#news.ring();
  }

  /** After trouble: the lanes that are still open end where they stand. */
  async endLanes(signal: AbortSignal): Promise<void> {
    for (const lane of this.#lanes.values()) await lane.end(signal);
    this.#lanes.clear();
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { epoch } = this.#start;
    if (this.#start.seq > 0) {
      const duty = await this.#duty(epoch, signal);
      if (duty !== "stopped") this.machine.begin(duty);
    }
    this.#run(this.#read(signal));
    this.#run(this.#learn(signal));
    this.#run(this.#checkpoints(signal));
    this.#run(this.#orders(signal));
    this.#schedule();
  }

  /** A task of this session: its trouble is the session's. */
  #run(task: Promise<void>): void {
    const settled = task.then(
      () => undefined,
      (error: unknown) => this.#fail(error),
    );
    this.#tasks.add(settled);
    void settled.then(() => this.#tasks.delete(settled));
  }

  readonly #fail = (error: unknown): void => {
    if (!this.#over.signal.aborted) this.#finished.reject(error);
  };

  // ---- steps and calls

  readonly #placeLeft = (): void => {
    this.#wasWoken = true;
    this.#schedule();
  };

  #schedule(): void {
    this.#due = true;
    if (this.#turning || this.#over.signal.aborted) return;
    this.#turning = true;
    queueMicrotask(() => this.#run(this.#turns()));
  }

  async #turns(): Promise<void> {
    while (this.#due && !this.#over.signal.aborted) {
      this.#due = false;
      for (let step = this.#nextStep(); step !== undefined; step = this.#nextStep()) {
        const waiting = this.#carryOut(step);
        if (waiting !== undefined) await waiting;
      }
      this.#call();
      this.#account(this.machine.window.load.bytes);
      this.#news.ring();
    }
    this.#turning = false;
  }

  #nextStep(): Step | undefined {
    if (this.#over.signal.aborted) return undefined;
    return this.machine.next(
      (target, entries, bytes) =>
        this.#lanes.get(target)?.hasRoom(entries, bytes + entries * ROW_BYTES) ?? false,
    );
  }

  #carryOut(step: Step): Promise<void> | undefined {
    switch (step.type) {
      case "open":
        this.#run(this.#open(step));
        return undefined;
      case "end":
        this.#run(this.#end(step.target));
        return undefined;
      case "cross":
        this.#run(this.#cross(step.epoch));
        return undefined;
      case "advance":
        this.#lane(step.target).advance(step.epoch);
        return undefined;
      case "finish":
        this.#run(this.#finish(step));
        return undefined;
      case "append":
      case "marker": {
        const { failpoint } = this.#world;
        if (failpoint === undefined) return this.#write(step);
        return failpoint(`runtime.${step.type}.before`).then(() => this.#write(step));
      }
    }
  }

  /** Takes the rows into the lane now, in this turn; what follows once they are durable. */
  #write(step: Step & { type: "append" | "marker" }): undefined {
    const lane = this.#lane(step.target);
    const written: Promise<unknown> =
      step.type === "append"
        ? lane.append(step.entries, this.#over.signal)
        : lane.marker(step.epoch, step.source);
    if (step.type === "append") {
      if (step.target === "output") this.#world.counts.outputs += step.entries.length;
      else this.#world.counts.deadLetters += step.entries.length;
    }
    const { row } = step;
    const { failpoint } = this.#world;
    if (failpoint === undefined) written.then(() => this.#acknowledged(row), this.#fail);
    else
      written
        .then(() => failpoint(`runtime.${step.type}.after`))
        .then(() => this.#acknowledged(row), this.#fail);
  }

  #acknowledged(row: Row | undefined): void {
    if (row !== undefined) this.machine.acknowledged(row);
    this.#schedule();
  }

  #call(): void {
    const { places } = this.#world;
    for (;;) {
      if (!places.hasPlace(this.#query)) {
        this.#wasWoken = false;
        return places.wait(this.#query, this.#placeLeft);
      }
      const call = this.machine.nextCall();
      if (call === undefined) return this.#passPlace();
      places.take(this.#query);
      this.#run(this.#invoke(call));
    }
  }

  /** What it was woken for, and does not need, is the next one's. */
  #passPlace(): void {
    if (this.#wasWoken) this.#world.places.pass(this.#query);
    this.#wasWoken = false;
  }

  async #invoke(call: Call): Promise<void> {
    const { host, places, counts, log } = this.#world;
    const { signal } = this.#over;
    try {
      const outcomes = await host.invoke(call.programId, call.invocations, signal);
      const { retry, skipped } = this.machine.settle(call, outcomes);
      counts.skipped += skipped;
      counts.retries += retry.length;
      this.#hostTrouble = 0;
      if (retry.length > 0) this.#run(this.#again(retry));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof InvariantError) throw error;
      // No message is to blame: the same call again, for as long as it takes.
      this.#hostTrouble += 1;
      log.warn("host.failed", { query: this.#query, lane: this.#input.id, error });
      this.#hold(`HOST_FAILED: ${String(error)}`);
      this.#run(this.#pause(this.#hostTrouble).then(() => this.machine.window.failed(call)));
    } finally {
      places.leave(this.#query);
      this.#schedule();
    }
    if (this.#hostTrouble === 0 && this.#holding?.startsWith("HOST_FAILED") === true) this.#hold(undefined);
  }

  async #again(slots: readonly Slot[]): Promise<void> {
    await this.#pause(slots[0]?.attempts ?? 1);
    this.machine.window.again(slots);
    this.#schedule();
  }

  /** Longer with each attempt; a little chance keeps many from coming back at once. */
  async #pause(attempts: number): Promise<void> {
    const { clock, ids, limits } = this.#world;
    const ms = Math.min(limits.retryMs * 2 ** (attempts - 1), limits.retryMaxMs);
    try {
      await clock.sleep(ms * (0.5 + ids.random() / 2), this.#over.signal);
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
    }
    this.#schedule();
  }

  // ---- lanes

  #lane(target: Target): OpenLane {
    const lane = this.#lanes.get(target);
    invariant(lane !== undefined, "a step writes to an open lane");
    return lane;
  }

  async #open({ target, stream, retentionMs, after }: Step & { type: "open" }): Promise<void> {
    const { writer, log, failpoint } = this.#world;
    const tip = this.#tips.get(stream);
    // I7: no lower than where its predecessor ended, and no lower than the input at this position.
    const openAt = toEpoch(Math.max(after.epoch, tip?.epoch ?? 0));
    const { id: inputLane, group } = this.#input;
    const query = this.#query;
    // Its first row is a marker, too.
    await failpoint?.("runtime.marker.before");
    const lane = await writer.openLane(
      {
        stream,
        openAt,
        openSource: { query, lane: inputLane, seq: after.seq },
        derived: { query, inputLane },
        ...(tip === undefined ? {} : { predecessor: tip.lane }),
        ...(group === undefined ? {} : { group: { ...group, id: `${group.id}/${query}` } }),
        ...(retentionMs === undefined ? {} : { retentionMs }),
      },
      this.#over.signal,
    );
    await failpoint?.("runtime.marker.after");
    this.#lanes.set(target, lane);
    lane.closed.addEventListener("abort", () => this.#rollOver(target, lane), { once: true });
    if (lane.closed.aborted) this.#rollOver(target, lane);
    log.debug("unit.opened", { query, lane: inputLane, output: lane.id, epoch: openAt });
    this.machine.opened(target, openAt);
    this.#schedule();
  }

  /** Its end was asked for (R5): this session ends, and the next one opens the successor. */
  #rollOver(target: Target, lane: OpenLane): void {
    if (this.#lanes.get(target) === lane && !this.#over.signal.aborted) this.stop();
  }

  async #end(target: Target): Promise<void> {
    const lane = this.#lane(target);
    const stream = lane.info.stream;
    this.#lanes.delete(target);
    try {
      const end = await lane.end(this.#over.signal);
      this.#ended.push({ lane: lane.id, seq: end });
      if (this.#ended.length > ENDED_LANES_NAMED) this.#ended.shift();
    } catch (error) {
      this.#lanes.set(target, lane);
      throw error;
    }
    const before = this.#tips.get(stream)?.epoch ?? 0;
    this.#tips.set(stream, { lane: lane.id, epoch: toEpoch(Math.max(before, lane.epoch)) });
    this.machine.ended(target);
    this.#schedule();
  }

  /** R7: after everything before the marker is durable, and said so in a checkpoint. */
  async #cross(epoch: Epoch): Promise<void> {
    await this.#recordCrossing(epoch);
    this.machine.crossed();
    this.#schedule();
  }

  async #recordCrossing(epoch: Epoch): Promise<void> {
    const { laneStore, clock, ids, model } = this.#world;
    const { signal } = this.#over;
    await this.#checkpoint(signal);
    const record = (): Promise<void> =>
      laneStore.recordCrossing(model, this.#query, this.#input.id, epoch, signal);
    await persist(record, clock, signal, ids);
  }

  async #finish({ done, removedAt }: Step & { type: "finish" }): Promise<void> {
    // R7: its derived lane, which shows the marker, has ended and may leave while the input lane goes on.
    if (removedAt !== undefined) await this.#recordCrossing(removedAt);
    await this.#checkpoint(this.#over.signal);
    this.#world.wake.notify(wakeTopics.lanes(this.#world.model));
    this.#finished.resolve(done);
  }

  // ---- what goes on beside

  async #read(signal: AbortSignal): Promise<void> {
    const { laneStore, wake, clock, model, leaseMs, counts, log, limits } = this.#world;
    const { window } = this.machine;
    let from = seq(this.#start.seq + 1);
    const { id: lane } = this.#input;
    for (;;) {
      try {
        const options = { laneStore, wake, clock, model, lane, from, leaseMs, pollMs: limits.pollMs };
        for await (const batch of readLane(options, signal)) {
          if (batch.type === "end") {
            this.machine.inputEnded();
            return this.#schedule();
          }
          for (const entry of batch.entries) {
            if (!this.#hasRoom()) {
              // Once: what was taken so far is worked on, and each turn says what came of it.
              this.#schedule();
              while (!this.#hasRoom()) await this.#news.next(signal);
            }
            if (this.machine.hasEnded) return;
            window.take(entry);
          }
          counts.inputs += batch.entries.length;
          this.#schedule();
        }
        return;
      } catch (error) {
        if (!(error instanceof BelowRetentionError)) throw error;
        // R3: said and counted; what is gone cannot be waited for.
        counts.unretained += error.firstRetained - from;
        log.error("lane.unretained", { query: this.#query, lane, from, firstRetained: error.firstRetained });
        from = error.firstRetained;
      }
    }
  }

  #hasRoom(): boolean {
    if (this.machine.hasEnded) return true;
    const { window } = this.machine;
    const bytes = window.load.bytes;
    if (bytes - this.#bytes > BYTES_UNACCOUNTED) this.#account(bytes);
    return window.hasRoom() && (window.load.entries === 0 || this.#world.budget.hasRoom());
  }

  /** Tells the runtime's budget what this unit holds. */
  #account(bytes: number): void {
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    if (change !== 0) this.#world.budget.add(change);
  }

  async #learn(signal: AbortSignal): Promise<void> {
    while (!this.machine.hasEnded || this.machine.window.wanted !== undefined) {
      const { wanted } = this.machine.window;
      if (wanted === undefined) await this.#news.next(signal);
      else {
        const duty = await this.#duty(wanted, signal);
        if (duty === "stopped") return;
        this.machine.window.learn(wanted, duty);
        this.#releasePrograms();
        this.#schedule();
      }
    }
  }

  /** I12: what the query does at `epoch`, its program loaded; holds until that is known. */
  async #duty(epoch: Epoch, signal: AbortSignal): Promise<DutyAt | "stopped"> {
    const { ledger, catalog, pool, clock, limits } = this.#world;
    const wait = AbortSignal.any([signal, this.#leaving.signal]);
    for (;;) {
      try {
        if (ledger.newest < epoch && (await ledger.refresh(wait)) < epoch) {
          this.#hold(`LEDGER_BEHIND: the ledger that is read here ends at ${ledger.newest}, before ${epoch}`);
          await ledger.waitFor(epoch, wait);
        }
        const duty = await catalog.dutyAt(this.#query, this.#input.stream, epoch);
        if (isDuty(duty)) {
          await pool.acquire(duty.program);
          this.#programs.push({ epoch, id: duty.program.id });
        }
        signal.throwIfAborted();
        this.#hold(undefined);
        return duty;
      } catch (error) {
        signal.throwIfAborted();
        if (this.#leaving.signal.aborted) return "stopped";
        if (error instanceof InvariantError) throw error;
        this.#hold(isHold(error) ? holdText(error) : `PROGRAM_UNLOADABLE: ${String(error)}`);
        await clock.sleep(limits.holdRetryMs, wait).catch(() => signal.throwIfAborted());
      }
    }
  }

  /** What an epoch will need, before its marker comes, so that the switch costs no compile time. */
  #preload(epoch: Epoch): void {
    const { catalog, pool } = this.#world;
    catalog.dutyAt(this.#query, this.#input.stream, epoch).then(
      (duty) => isDuty(duty) && pool.preload(duty.program),
      // I12: what is missing makes the marker hold, and not before.
      () => undefined,
    );
  }

  /** Programs of epochs that the unit has left behind. */
  #releasePrograms(): void {
    const { epoch } = this.machine.issued;
    for (let next = this.#programs[1]; next !== undefined && next.epoch <= epoch; next = this.#programs[1]) {
      const [old] = this.#programs.splice(0, 1);
      if (old !== undefined) this.#world.pool.release(old.id);
    }
  }

  #hold(reason: string | undefined): void {
    if (this.#holding === reason) return;
    const { log } = this.#world;
    const fields = { query: this.#query, lane: this.#input.id, after: this.machine.issued.seq };
    if (reason === undefined) log.info("unit.goes-on", fields);
    else log.warn("unit.holds", { ...fields, reason });
    this.#holding = reason;
    this.#checkpointDue.give();
  }

  async #checkpoints(signal: AbortSignal): Promise<void> {
    const { clock, limits, log } = this.#world;
    for (;;) {
      await this.#checkpointDue.next(clock, limits.checkpointMs, signal);
      await this.#checkpoint(signal).catch((error: unknown) => {
        if (signal.aborted) throw error;
        log.warn("checkpoint.failed", { query: this.#query, lane: this.#input.id, error });
      });
    }
  }

  async #checkpoint(signal: AbortSignal): Promise<void> {
    const { laneStore, model, writer, failpoint } = this.#world;
    const { done } = this.machine;
    const holding = this.#holding;
    if (this.#written?.seq === done.seq && this.#written.holding === holding) return;
    if (!writer.holds()) return;
    // Read in the same moment as `done`: everything up to it stands below these.
    const open = [...this.#lanes.values()].map((lane) => ({ lane: lane.id, seq: lane.durable }));
    const outputs = [...this.#ended, ...open];
    await failpoint?.("runtime.checkpoint.before");
    const checkpoint = {
      query: this.#query,
      inputLane: this.#input.id,
      inputSeq: done.seq,
      inputEpoch: done.epoch,
      outputs,
      writer: writer.id,
      ...(holding === undefined ? {} : { holding }),
    };
    await laneStore.putCheckpoint(model, checkpoint, signal);
    this.#written = { seq: done.seq, holding };
    await failpoint?.("runtime.checkpoint.after");
  }

  /** Orders by hand: at the beginning, and whenever the unit does not go on. */
  async #orders(signal: AbortSignal): Promise<void> {
    const { laneStore, clock, model, limits, log } = this.#world;
    let before: Seq | undefined;
    for (;;) {
      const { head } = this.machine.window;
      const isStuck = before === undefined || (head !== undefined && before === head.entry.seq);
      if (isStuck)
        try {
          const { id } = this.#input;
          for (const order of await laneStore.listDeadLetterOrders(model, this.#query, id, signal))
            this.machine.giveUp(order);
          this.#schedule();
        } catch (error) {
          signal.throwIfAborted();
          log.warn("orders.unreadable", { query: this.#query, lane: this.#input.id, error });
        }
      before = head?.entry.seq ?? seq(0);
      await clock.sleep(limits.ordersMs, signal);
    }
  }
}
