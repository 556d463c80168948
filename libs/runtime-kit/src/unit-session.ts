/**
 * Carries out a unit's machine: reads the input lane, asks what is to be done at each epoch, calls the host, writes the
 * lanes, keeps checkpoints. One session goes from a position found in the store to the end, or to its first trouble;
 * then `unit.ts` ends its lanes and begins another one from what is stored.
 *
 * Steps are carried out one after another, in one loop; what they wait for comes back as events that run it again.
 */
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { invariant, InvariantError } from "@greco/domain/model";
import type { LaneRecord } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { spanOf } from "@greco/telemetry";
import { Bell } from "./bell.ts";
import type { Call } from "./call-window.ts";
import type { Position } from "./durable-position.ts";
import { Holding } from "./holding.ts";
import type { Recovered } from "./recovery.ts";
import { UnitDuties } from "./unit-duties.ts";
import { UnitInput } from "./unit-input.ts";
import { UnitLanes } from "./unit-lanes.ts";
import type { Row, Step } from "./unit-machine.ts";
import { UnitMachine } from "./unit-machine.ts";
import { UnitProgress } from "./unit-progress.ts";
import type { UnitWorld } from "./unit-world.ts";

const HOST_FAILED = "HOST_FAILED";

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
  readonly #start: Position;
  readonly #fields: { readonly query: EntityIdentity; readonly lane: string };
  readonly #input: UnitInput;
  readonly #duties: UnitDuties;
  readonly #lanes: UnitLanes;
  readonly #progress: UnitProgress;
  readonly #holding: Holding;
  readonly #over = new AbortController();
  /** Nothing is waited for any more that is not under way. */
  readonly #leaving = new AbortController();
  readonly #finished = Promise.withResolvers<boolean>();
  readonly #news = new Bell();
  readonly #tasks = new Set<Promise<void>>();
  #turning = false;
  #due = false;
  #hostTrouble = 0;
  #wasWoken = false;

  constructor({ world, query, input: { info }, recovered }: SessionOptions) {
    const { id: lane, stream } = info;
    const { start, tips } = recovered;
    const { epochCheck } = world;
    this.#world = world;
    this.#query = query;
    this.#start = start;
    this.#fields = { query, lane };
    this.machine = new UnitMachine({
      query,
      lane,
      stream,
      index: world.ledger.index,
      start,
      limits: world.limits,
      ...(epochCheck === undefined ? {} : { epochCheck }),
    });
    const { machine } = this;
    const fields = () => ({ ...this.#fields, after: machine.issued.seq });
    this.#holding = new Holding(world.log, fields, () => this.#progress.hint());
    this.#duties = new UnitDuties({ world, query, stream, holding: this.#holding });
    this.#lanes = new UnitLanes({ world, query, input: info, tips, closed: () => this.#rollOver() });
    const taken = (): void => this.#schedule();
    this.#input = new UnitInput({ world, query, input: info, machine, news: this.#news, taken });
    const now = () => ({
      done: machine.done,
      outputs: this.#lanes.durable(),
      holding: this.#holding.reason,
    });
    this.#progress = new UnitProgress({ world, query, lane, now });
  }

  /** Why it does not go on. */
  get holding(): string | undefined {
    return this.#holding.reason;
  }

  /** True: all is done that ever will be. False: stopped, and somebody else may go on. Its lanes have ended. */
  async run(signal: AbortSignal): Promise<boolean> {
    const inner = AbortSignal.any([signal, this.#over.signal]);
    const abort = (): void => this.#finished.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const forget = this.#listen();
    try {
      this.#run(this.#begin(inner));
      return await this.#finished.promise;
    } finally {
      this.#over.abort(new Error("the session is over"));
      signal.removeEventListener("abort", abort);
      for (const each of forget) each();
      await Promise.all(this.#tasks);
      this.#input.account(0);
      this.#duties.releaseAll();
      this.#world.counts.lettersDropped += this.machine.lettersDropped;
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
  endLanes(signal: AbortSignal): Promise<void> {
    return this.#lanes.endAll(signal);
  }

  #listen(): readonly (() => void)[] {
    const { ledger, budget, places } = this.#world;
    const stopGrowing = ledger.onGrow(({ epoch }) => {
      this.machine.grow();
      this.#schedule();
      this.#duties.preload(epoch);
    });
    const stopWaiting = (): void => {
      places.forget(this.#query, this.#placeLeft);
      this.#passPlace();
    };
    return [stopGrowing, budget.onRoom(() => this.#news.ring()), stopWaiting];
  }

  async #begin(signal: AbortSignal): Promise<void> {
    // I12: first of all, because it may hold where it begins.
    this.#run(this.#progress.run(signal));
    await this.#input.takeOrders(signal);
    if (this.#start.seq > 0)
      await this.#unlessLeaving(async (wait) => {
        this.machine.begin(await this.#duties.at(this.#start.epoch, wait));
      }, signal);
    this.#run(this.#input.read(this.#start.seq, signal));
    this.#run(this.#input.watchOrders(signal));
    this.#run(this.#unlessLeaving((wait) => this.#learn(wait), signal));
    this.#schedule();
  }

  /** What is waited for only as long as the unit is to go on. */
  async #unlessLeaving(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work(AbortSignal.any([signal, this.#leaving.signal]));
    } catch (error) {
      if (signal.aborted || !this.#leaving.signal.aborted) throw error;
    }
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

  async #learn(signal: AbortSignal): Promise<void> {
    const { window } = this.machine;
    for (;;) {
      const { wanted } = window;
      if (wanted === undefined) await this.#news.next(signal);
      else {
        // Passed over in silence otherwise: nothing is known of what is below the snapshot that the ledger began at.
        invariant(
          wanted >= this.#world.ledger.index.base,
          "I6: no live lane is behind where the ledger begins",
        );
        window.learn(wanted, await this.#duties.at(wanted, signal));
        this.#duties.release(this.machine.issued.epoch);
        this.#schedule();
      }
    }
  }

  // ---- steps

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
      this.#input.account();
      this.#news.ring();
    }
    this.#turning = false;
  }

  #nextStep(): Step | undefined {
    return this.#over.signal.aborted ? undefined : this.machine.next(this.#lanes.hasRoom);
  }

  /** A promise only where a failpoint makes it wait: rows must be taken in the order of the steps. */
  #carryOut(step: Step): Promise<void> | undefined {
    switch (step.type) {
      case "append":
      case "marker": {
        const { failpoint } = this.#world;
        if (failpoint === undefined) return this.#write(step);
        return failpoint(pointOf(step, "before")).then(() => this.#write(step));
      }
      case "advance":
        this.#lanes.get(step.target).advance(step.epoch);
        return undefined;
      case "open":
      case "end":
      case "cross":
      case "finish":
        this.#run(this.#answer(step));
        return undefined;
    }
  }

  /** Takes the rows into the lane now, in this turn; what follows once they are durable. */
  #write(step: Step & { type: "append" | "marker" }): undefined {
    const { counts, failpoint } = this.#world;
    const lane = this.#lanes.get(step.target);
    let written: Promise<unknown>;
    if (step.type === "marker")
      written = this.#crossing(step.epoch, () => lane.marker(step.epoch, step.source));
    else {
      written = lane.append(step.entries, this.#over.signal);
      if (step.target === "output") counts.outputs += step.entries.length;
      else counts.deadLetters += step.entries.length;
    }
    if (failpoint !== undefined) written = written.then(() => failpoint(pointOf(step, "after")));
    written.then(() => this.#acknowledged(step.row), this.#fail);
  }

  /** In the trace of the commit that made the epoch, if somebody traced it. */
  async #crossing(epoch: Epoch, write: () => Promise<unknown>): Promise<void> {
    const { clock, ledger, model } = this.#world;
    const fromMs = clock.nowMs();
    await write();
    const [entry] = ledger.entries((epoch - 1) as Epoch);
    const attributes = { ...this.#fields, model, epoch };
    spanOf(entry?.trace, "runtime crosses", { fromMs, toMs: clock.nowMs() }, attributes);
  }

  #acknowledged(row: Row | undefined): void {
    if (row !== undefined) this.machine.acknowledged(row);
    this.#schedule();
  }

  async #answer(step: Step & { type: "open" | "end" | "cross" | "finish" }): Promise<void> {
    const { signal } = this.#over;
    switch (step.type) {
      case "open":
        this.machine.opened(step.target, await this.#lanes.open(step, signal));
        break;
      case "end":
        await this.#lanes.end(step.target, signal);
        this.machine.ended(step.target);
        break;
      case "cross":
        await this.#crossing(step.epoch, () => this.#progress.recordCrossing(step.epoch, signal));
        this.machine.crossed();
        break;
      case "finish":
        // R7: its derived lane, which shows the marker, has ended and may leave while the input lane goes on.
        if (step.removedAt !== undefined) await this.#progress.recordCrossing(step.removedAt, signal);
        await this.#progress.checkpoint(signal);
        this.#world.wake.notify(wakeTopics.lanes(this.#world.model));
        this.#finished.resolve(step.done);
    }
    this.#schedule();
  }

  /** The end of a lane was asked for (R5): this session ends, and the next one opens the successor. */
  #rollOver(): void {
    if (!this.#over.signal.aborted) this.stop();
  }

  // ---- calls

  readonly #placeLeft = (): void => {
    this.#wasWoken = true;
    this.#schedule();
  };

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
      this.#holding.over(HOST_FAILED);
      const [first] = retry;
      if (first !== undefined)
        this.#run(this.#tryAgain(first.attempts, () => this.machine.window.again(retry)));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof InvariantError) throw error;
      // No message is to blame: the same call again, for as long as it takes.
      this.#hostTrouble += 1;
      log.warn("host.failed", { ...this.#fields, error });
      this.#holding.because(`${HOST_FAILED}: ${String(error)}`);
      this.#run(this.#tryAgain(this.#hostTrouble, () => this.machine.window.failed(call)));
    } finally {
      places.leave(this.#query);
      this.#schedule();
    }
  }

  /** After a pause, longer with each attempt; a little chance keeps many from coming back at once. */
  async #tryAgain(attempts: number, again: () => void): Promise<void> {
    const { clock, ids, limits } = this.#world;
    const { signal } = this.#over;
    const ms = Math.min(limits.retryMs * 2 ** (attempts - 1), limits.retryMaxMs);
    await clock.sleep(ms * (0.5 + ids.random() / 2), signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    again();
    this.#schedule();
  }
}

/** `runtime.append.before`, `runtime.marker.after@2` */
const pointOf = (step: Step & { type: "append" | "marker" }, when: "before" | "after"): string =>
  `runtime.${step.type}.${when}${step.type === "marker" ? `@${step.epoch}` : ""}`;
