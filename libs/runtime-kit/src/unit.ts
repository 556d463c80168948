/**
 * A query on an input lane, for as long as this runtime has it. Each session begins from what is stored: the first
 * one takes the unit over from whoever had it before; another one follows when there was trouble, or when somebody
 * asked for the end of its lane.
 */
import type { LaneId, WriterId } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { epoch, InvariantError } from "@greco/domain/model";
import { LaneLostError, persist, sealWriter } from "@greco/lane-kit";
import type { LaneRecord } from "@greco/ports";
import type { Position } from "./durable-position.ts";
import { recover, UnsealedError } from "./recovery.ts";
import { UnitSession } from "./unit-session.ts";
import type { UnitWorld } from "./unit-world.ts";

export type UnitOptions = {
  readonly world: UnitWorld;
  readonly query: EntityIdentity;
  readonly input: LaneRecord;
};

export type UnitStatus = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  /** Everything up to here is durable in the unit's lanes. */
  readonly done: Position;
  /** Why it does not go on. */
  readonly holding?: string;
};

/** Pause before another session, doubling up to the last. */
const PAUSE_MS = { first: 50, last: 5_000 } as const;

export class Unit {
  readonly query: EntityIdentity;
  readonly input: LaneRecord;
  readonly #world: UnitWorld;
  #session: UnitSession | undefined;
  #stopping = false;
  #trouble: string | undefined;

  constructor({ world, query, input }: UnitOptions) {
    this.#world = world;
    this.query = query;
    this.input = input;
  }

  get status(): UnitStatus {
    const done = this.#session?.machine.done ?? { seq: seq(0), epoch: epoch(0) };
    const holding = this.#session?.holding ?? this.#trouble;
    const { query } = this;
    return { query, lane: this.input.info.id, done, ...(holding === undefined ? {} : { holding }) };
  }

  /** Finishes what is under way and ends its lanes; `run` then answers "stopped". */
  stop(): void {
    this.#stopping = true;
    this.#session?.stop();
  }

  /** "done": it has done all of the lane that it ever will. Throws when the writer is lost or the signal aborts. */
  async run(signal: AbortSignal): Promise<"done" | "stopped"> {
    const { clock, log, ids } = this.#world;
    let pauseMs: number = PAUSE_MS.first;
    while (!this.#stopping) {
      const since = clock.monotonicMs();
      try {
        if (await this.#one(signal)) return "done";
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof LaneLostError || error instanceof InvariantError) throw error;
        this.#trouble = `TROUBLE: ${String(error)}`;
        log.warn("unit.troubled", { query: this.query, lane: this.input.info.id, error });
        await this.#tidy(error, signal);
        if (clock.monotonicMs() - since > PAUSE_MS.last) pauseMs = PAUSE_MS.first;
        await clock.sleep(pauseMs * (0.5 + ids.random() / 2), signal);
        pauseMs = Math.min(pauseMs * 2, PAUSE_MS.last);
      }
    }
    return "stopped";
  }

  async #one(signal: AbortSignal): Promise<boolean> {
    const { laneStore, model, clock, ids, failpoint } = this.#world;
    const { id } = this.input.info;
    await failpoint?.("runtime.takeover.before");
    const input = (await laneStore.getLane(model, id, signal)) ?? this.input;
    const find = () => recover(this.#world, this.query, input, this.#since(), signal);
    const recovered = await persist(find, clock, signal, ids);
    await failpoint?.("runtime.takeover.after");
    const { end } = input.state;
    // Nothing is left to read: no lane is opened for it.
    if (end !== undefined && recovered.start.seq >= end) return true;
    if (this.#stopping) return false;
    const session = new UnitSession({ world: this.#world, query: this.query, input, recovered });
    this.#session = session;
    this.#trouble = undefined;
    return session.run(signal);
  }

  /** The first epoch at which the query reads the lane's stream. */
  #since(): Epoch {
    const ranges = this.#world.catalog.rangesOf(this.query, this.input.info.stream);
    return ranges[0]?.since ?? epoch(0);
  }

  /** Every lane of the unit must have its end before the next session looks. */
  async #tidy(error: unknown, signal: AbortSignal): Promise<void> {
    await this.#session?.endLanes(signal);
    this.#session = undefined;
    if (!(error instanceof UnsealedError)) return;
    const record = await this.#world.laneStore.getLane(this.#world.model, error.lane, signal);
    if (record === undefined) return;
    const writer: WriterId = record.info.writer;
    const own = this.#world.writer.lanes().find((lane) => lane.id === error.lane);
    if (own !== undefined) await own.end(signal);
    else if (writer !== this.#world.writer.id) await sealWriter(this.#world, writer, signal);
  }
}
