import type { OpenLane } from "@greco/lane-kit";
import type { LaneRecord } from "@greco/ports";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readLanes } from "./testing/check-lanes.ts";
import { SleepyClock } from "./testing/sleepy-clock.ts";
import { MODEL } from "./testing/small-model.ts";
import { Stage } from "./testing/stage.ts";
import type { World } from "./testing/world.ts";

let clock: SimulatedClock;
let stage: Stage;
let world: World;

beforeEach(async () => {
  clock = simulatedClock();
  stage = await Stage.embedded(clock);
  ({ world } = stage);
});
afterEach(() => stage[Symbol.asyncDispose]());

const run = <T>(work: Promise<T>): Promise<T> => clock.drive(work);

describe("several runtimes", () => {
  it("share the lanes, and the second to come gets its part", async () => {
    await stage.twoHops();
    const { writer, lanes } = await stage.someLanes(8);
    const first = await run(world.runtime("r1"));
    await clock.advance(2_000);
    expect(first.runner.status().units).toHaveLength(16);
    const second = await run(world.runtime("r2"));
    await stage.feed(lanes, 60, 250);
    const counts = [first, second].map(({ runner }) => runner.status().units.length);
    expect(counts[0]! + counts[1]!).toBe(16);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(3);
    await stage.close(writer);
    await clock.advance(4_000);
    expect((await stage.judge()).problems).toEqual([]);
    expect(stage.warnings()).toEqual([]);
  });

  it("I8: one dies, and the other goes on where its durable rows say, each input once", async () => {
    await stage.twoHops();
    const { writer, lanes } = await stage.someLanes(3);
    const first = await run(world.runtime("r1"));
    await clock.advance(1_000);
    await run(world.runtime("r2"));
    await stage.feed(lanes, 20, 100);
    await first.kill();
    await stage.feed(lanes, 20, 300, "n");
    await clock.advance(10_000);
    await stage.feed(lanes, 5, 300, "o");
    await stage.close(writer);
    await clock.advance(6_000);
    const { problems, judged } = await stage.judge();
    expect(problems).toEqual([]);
    expect(judged).toBe(3 * 45 * 2);
  });

  it("I7: the next one's lanes open no lower than where the dead one's ended", async () => {
    await stage.twoHops();
    const { lanes } = await stage.someLanes(1);
    const first = await run(world.runtime("r1"));
    await stage.feed(lanes, 2, 100);
    // The input stays at epoch 1; the derived lane is at 2 by insertion.
    await run(world.model.commit({ queries: { b: { from: "t", to: "u", v: 2 } } }, world.signal));
    await clock.advance(500);
    await first.kill();
    await run(world.runtime("r2"));
    await clock.advance(10_000);
    expect(await stage.shownLanes("t")).toEqual(["<1> a.v1(m0)#0 a.v1(m1)#0 [2] .", "<2> …"]);
  });

  it("I8: one sleeps for three leases, wakes, finds its lease lost, and joins again", async () => {
    await stage.twoHops();
    const { writer, lanes } = await stage.someLanes(3);
    const sleeper = new SleepyClock(clock);
    const stores = { clock: sleeper, laneStore: sleeper.before(world.stores.laneStore) };
    const first = await run(world.runtime("r1", stores));
    const second = await run(world.runtime("r2"));
    await stage.feed(lanes, 20, 100);
    const before = first.runner.status().writer;
    sleeper.fallAsleep();
    await stage.feed(lanes, 40, 200, "n");
    sleeper.wakeUp();
    await clock.advance(3_000);
    expect(first.runner.status().writer).not.toBe(before);
    await stage.feed(lanes, 20, 500, "o");
    expect(first.runner.status().units.length).toBeGreaterThan(0);
    expect(second.runner.status().units.length).toBeGreaterThan(0);
    await stage.close(writer);
    await clock.advance(6_000);
    const { problems, judged } = await stage.judge();
    expect(problems).toEqual([]);
    expect(judged).toBe(3 * 80 * 2);
  });

  it("a stopped one gives its units up at once, with its lanes ended", async () => {
    await stage.twoHops();
    const { writer, lanes } = await stage.someLanes(2);
    const first = await run(world.runtime("r1"));
    await stage.feed(lanes, 5, 100);
    const second = await run(world.runtime("r2"));
    await stage.close(first.runner);
    await stage.feed(lanes, 5, 100, "n");
    // Well within a lease: nobody had to be sealed.
    await clock.advance(500);
    expect(second.runner.status().units).toHaveLength(4);
    expect(world.logged.filter((line) => line.includes("lane.sealed"))).toEqual([]);
    await stage.close(writer);
    await clock.advance(4_000);
    expect((await stage.judge()).problems).toEqual([]);
  });

  it("reads a lane only after the lane that it continues, group and all", async () => {
    await stage.twoHops();
    const writer = await run(world.source("ingress"));
    const { laneStore } = world.stores;
    const stream = world.model.identity("stream", "s");
    const group = { id: "g1", size: 2 };
    const old = [];
    for (const index of [0, 1])
      old.push(await run(writer.openLane({ stream, group: { ...group, index } }, world.signal)));
    const [first, sibling] = old as [OpenLane, OpenLane];
    const next = await run(writer.openLane({ stream, predecessor: first.id }, world.signal));
    await run(world.publish(first, "old0"));
    await run(world.publish(sibling, "old1"));
    await run(world.publish(next, "next"));
    const { runner } = await run(world.runtime("r"));
    await clock.advance(1_000);
    expect(await stage.textsOf("t")).toHaveLength(2);
    await run(first.end(world.signal).then(() => undefined));
    await clock.advance(1_000);
    expect(await stage.textsOf("t")).toHaveLength(2);
    await run(sibling.end(world.signal).then(() => undefined));
    await clock.advance(2_000);
    expect(await stage.textsOf("u")).toHaveLength(3);
    // The derived lanes continue each other as their inputs do.
    const lanes = await run(readLanes(laneStore, world.signal));
    const derivedOf = (input: OpenLane): LaneRecord["info"] | undefined =>
      lanes.find(({ record }) => record.info.derived?.inputLane === input.id)?.record.info;
    expect(derivedOf(next)?.predecessor).toBe(derivedOf(first)?.id);
    expect(derivedOf(first)?.group).toEqual({ id: expect.stringContaining("g1"), index: 0, size: 2 });
    expect(runner.status().units).toHaveLength(2);
  });

  it("take lanes that everybody has read out of the index of live ones", async () => {
    await stage.twoHops();
    const { writer, lanes } = await stage.someLanes(2);
    await run(world.runtime("r1"));
    await stage.feed(lanes, 3, 100);
    await stage.close(writer);
    await clock.advance(4_000);
    expect(await run(world.stores.laneStore.listLanes(MODEL, {}, world.signal))).toEqual([]);
    expect((await stage.judge()).problems).toEqual([]);
  });

  it("rolls over when somebody asks for the end of a derived lane", async () => {
    await stage.twoHops();
    const { writer, lanes } = await stage.someLanes(1);
    await run(world.runtime("r1"));
    await stage.feed(lanes, 3, 100);
    const all = await run(readLanes(world.stores.laneStore, world.signal));
    const t = all.find(({ record }) => record.info.stream === world.model.identity("stream", "t"));
    await run(world.stores.laneStore.requestClose(MODEL, t!.record.info.id, world.signal));
    await clock.advance(1_000);
    await stage.feed(lanes, 3, 100, "n");
    await clock.advance(1_000);
    expect(await stage.shownLanes("t")).toHaveLength(2);
    await stage.close(writer);
    await clock.advance(4_000);
    expect((await stage.judge()).problems).toEqual([]);
  });
});
