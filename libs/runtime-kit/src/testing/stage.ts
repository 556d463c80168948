/** A world on a simulated clock, with what specs do and look at again and again. */
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { simulatedIds } from "@greco/simulation";
import { DEAD_LETTERS_STREAM } from "@greco/domain/model";
import type { LaneWriter, OpenLane } from "@greco/lane-kit";
import type { Clock } from "@greco/ports";
import type { StoredLane, Verdict } from "./check-lanes.ts";
import { checkLanes, readLanes } from "./check-lanes.ts";
import type { WorldStores } from "./world.ts";
import { World } from "./world.ts";

export type StageClock = Clock & {
  drive<T>(work: Promise<T>): Promise<T>;
  advance(ms: number): Promise<void>;
};

const decoder = new TextDecoder();

export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly clock: StageClock;

  constructor(stores: WorldStores & { readonly clock: StageClock }) {
    this.clock = stores.clock;
    this.world = new World(stores);
  }

  /** On stores in memory. */
  static async embedded(clock: StageClock): Promise<Stage> {
    const laneStore = await openEmbeddedLaneStore({ path: ":memory:", clock });
    const bindingStore = await openEmbeddedBindingStore({ path: ":memory:", clock });
    return new Stage({ laneStore, bindingStore, wake: createEmbeddedWake(), clock, ids: simulatedIds() });
  }

  readonly run = <T>(work: Promise<T>): Promise<T> => this.clock.drive(work);

  close(what: AsyncDisposable): Promise<void> {
    return this.run((async () => what[Symbol.asyncDispose]())());
  }

  /** Streams s → t → u with queries a and b, committed as epoch 1. */
  async twoHops(): Promise<void> {
    const queries = { a: { from: "s", to: "t", v: 1 }, b: { from: "t", to: "u", v: 1 } };
    const { model, signal } = this.world;
    await this.run(model.commit({ streams: { s: {}, t: {}, u: {} }, queries }, signal));
  }

  async someLanes(count: number): Promise<{ writer: LaneWriter; lanes: readonly OpenLane[] }> {
    const writer = await this.run(this.world.source("ingress"));
    const lanes: OpenLane[] = [];
    for (let at = 0; at < count; at++) lanes.push(await this.run(this.world.openLane(writer, "s")));
    return { writer, lanes };
  }

  /** A message to each lane, so many times, so far apart. */
  async feed(lanes: readonly OpenLane[], rounds: number, eachMs: number, name = "m"): Promise<void> {
    for (let at = 0; at < rounds; at++) {
      for (const lane of lanes) await this.run(this.world.publish(lane, `${name}${at}`));
      await this.clock.advance(eachMs);
    }
  }

  async judge(): Promise<Verdict> {
    return checkLanes(this.world.model, await this.#lanes());
  }

  warnings(): readonly string[] {
    return this.world.logged.filter((line) => /^(warn|error)/.test(line));
  }

  async textsOf(stream: string): Promise<readonly string[]> {
    const lanes = await this.#lanesOf(stream);
    return lanes.flatMap(({ rows }) =>
      rows.flatMap((row) => (row.kind === "data" ? [decoder.decode(row.payload)] : [])),
    );
  }

  /** Lanes of a stream, each as its rows: `<2>` a marker that was forwarded or opened the lane, `[2]` an inserted one. */
  async shownLanes(stream: string): Promise<readonly string[]> {
    const lanes = await this.#lanesOf(stream);
    return lanes.map(({ rows, record }) => {
      const texts = rows.map((row) => {
        if (row.kind === "data") return decoder.decode(row.payload);
        return row.source === undefined ? `[${row.epoch}]` : `<${row.epoch}>`;
      });
      return [...texts, record.state.end === undefined ? "…" : "."].join(" ");
    });
  }

  async deadLetters(): Promise<readonly unknown[]> {
    const lanes = await this.#lanes();
    const rows = lanes
      .filter(({ record }) => record.info.stream === DEAD_LETTERS_STREAM)
      .flatMap((lane) => lane.rows);
    return rows.flatMap((row) =>
      row.kind === "data" ? [JSON.parse(decoder.decode(row.payload)) as unknown] : [],
    );
  }

  async #lanesOf(stream: string): Promise<readonly StoredLane[]> {
    const identity = this.world.model.identity("stream", stream);
    return (await this.#lanes()).filter(({ record }) => record.info.stream === identity);
  }

  #lanes(): Promise<readonly StoredLane[]> {
    return this.run(readLanes(this.world.stores.laneStore, this.world.signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.world.end();
    await this.clock.advance(5_000);
    const { laneStore, bindingStore, wake } = this.world.stores;
    for (const each of [laneStore, bindingStore, wake]) await each[Symbol.asyncDispose]();
  }
}
