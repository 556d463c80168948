import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { seq } from "@greco/domain/lane";
import { DEAD_LETTERS_STREAM, hashOf } from "@greco/domain/model";
import type { LaneWriter, OpenLane } from "@greco/lane-kit";
import type { LaneRecord } from "@greco/ports";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkLanes, readLanes } from "./testing/check-lanes.ts";
import { SleepyClock } from "./testing/sleepy-clock.ts";
import { MODEL } from "./testing/small-model.ts";
import { TEST_LIMITS, World } from "./testing/world.ts";

let clock: SimulatedClock;
let world: World;

beforeEach(async () => {
  clock = simulatedClock();
  const laneStore = await openEmbeddedLaneStore({ path: ":memory:", clock });
  const bindingStore = await openEmbeddedBindingStore({ path: ":memory:", clock });
  world = new World({ laneStore, bindingStore, wake: createEmbeddedWake(), clock, ids: simulatedIds() });
});
afterEach(async () => {
  world.end();
  await clock.advance(5_000);
  const { laneStore, bindingStore, wake } = world.stores;
  await laneStore[Symbol.asyncDispose]();
  await bindingStore[Symbol.asyncDispose]();
  await wake[Symbol.asyncDispose]();
});

const close = async (what: AsyncDisposable): Promise<void> => what[Symbol.asyncDispose]();
const run = <T>(work: Promise<T>): Promise<T> => clock.drive(work);

async function judge(complete = true): Promise<{ problems: readonly string[]; judged: number }> {
  const lanes = await run(readLanes(world.stores.laneStore, world.signal));
  return checkLanes(world.model, lanes, { complete });
}

const warnings = (): readonly string[] => world.logged.filter((line) => /^(warn|error)/.test(line));

/** Streams s → t → u with queries a and b, committed as epoch 1. */
async function twoHops(): Promise<void> {
  const queries = { a: { from: "s", to: "t", v: 1 }, b: { from: "t", to: "u", v: 1 } };
  await run(world.model.commit({ streams: { s: {}, t: {}, u: {} }, queries }, world.signal));
}

async function textsOf(stream: string): Promise<readonly string[]> {
  const lanes = await run(readLanes(world.stores.laneStore, world.signal));
  const of = lanes.filter(({ record }) => record.info.stream === world.model.identity("stream", stream));
  return of.flatMap(({ rows }) =>
    rows.flatMap((row) => (row.kind === "data" ? [new TextDecoder().decode(row.payload)] : [])),
  );
}

/** Lanes of a stream, each as its rows: `<2>` a marker that was forwarded or opened the lane, `[2]` an inserted one. */
async function shownLanes(stream: string): Promise<readonly string[]> {
  const lanes = await run(readLanes(world.stores.laneStore, world.signal));
  const of = lanes.filter(({ record }) => record.info.stream === world.model.identity("stream", stream));
  return of.map(({ rows, record }) => {
    const texts = rows.map((row) => {
      if (row.kind === "data") return new TextDecoder().decode(row.payload);
      return row.source === undefined ? `[${row.epoch}]` : `<${row.epoch}>`;
    });
    return [...texts, record.state.end === undefined ? "…" : "."].join(" ");
  });
}

describe("a query on a lane", () => {
  it("switches at the marker, and is done at the lane's end", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    await run(world.publish(lane, "m1", "m2"));
    const { runner, host } = await run(
      world.runtime("r", {}, { serves: (query) => query.startsWith("query/a") }),
    );
    await clock.advance(1_000);
    await run(world.model.commit({ queries: { a: { from: "s", to: "t", v: 2 } } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m3"));
    await clock.advance(1_000);
    expect(host.calls).toEqual([
      { program: "a.v1", inputs: ["m1", "m2"] },
      { program: "a.v2", inputs: ["m3"] },
    ]);
    await run(close(writer));
    await clock.advance(2_000);
    expect(runner.status().units).toEqual([]);
    expect(await shownLanes("t")).toEqual(["<1> a.v1(m1)#0 a.v1(m2)#0 <2> a.v2(m3)#0 ."]);
    await run(close(runner));
    expect(warnings()).toEqual([]);
  });

  it("I6: carries each message along its whole path under one epoch, two hops changed alone and together", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { runner } = await run(world.runtime("r"));
    await run(world.publish(lane, "m1!3", "m2!0", "m3"));
    await clock.advance(500);
    for (const queries of [
      { a: { from: "s", to: "t", v: 2 } },
      { b: { from: "t", to: "u", v: 2 } },
      { a: { from: "s", to: "t", v: 3 }, b: { from: "t", to: "u", v: 3 } },
    ]) {
      const published = world.publish(lane, ...Array.from({ length: 20 }, (_, at) => `n${at}`));
      await run(world.model.commit({ queries }, world.signal));
      await run(published);
      await clock.advance(300);
      await run(world.publish(lane, "after"));
    }
    await clock.advance(1_000);
    await run(close(writer));
    await clock.advance(3_000);
    const { problems, judged } = await judge();
    expect(problems).toEqual([]);
    // Outputs of the first hop are inputs of the second: 66 messages, one of which makes three and one none.
    expect(judged).toBe(65 + 67);
    expect(await textsOf("u")).toContain("b.v3(a.v3(after)#0)#0");
    await run(close(runner));
    expect(warnings()).toEqual([]);
  });

  it("goes on when more is waiting than it may hold at once", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    await run(world.publish(lane, ...Array.from({ length: 100 }, (_, at) => `m${at}`)));
    await run(
      world.runtime(
        "r",
        {},
        { limits: { ...TEST_LIMITS, windowEntries: 8, runtimeBytes: 64, callEntries: 3 } },
      ),
    );
    await clock.advance(2_000);
    expect(await textsOf("u")).toHaveLength(100);
  });

  it("inserts in its derived lane the marker of an epoch that changes only what is below (R4)", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    await run(world.publish(lane, "m1"));
    await run(world.runtime("r"));
    await clock.advance(500);
    await run(world.model.commit({ queries: { b: { from: "t", to: "u", v: 2 } } }, world.signal));
    await clock.advance(500);
    expect(await shownLanes("t")).toEqual(["<1> a.v1(m1)#0 [2] …"]);
    expect(await shownLanes("u")).toEqual(["<1> b.v1(a.v1(m1)#0)#0 <2> …"]);
    expect(await shownLanes("s")).toEqual(["[1] m1 …"]);
  });

  it("begins a new query at its marker in lanes that are there, and at the beginning of later ones", async () => {
    await run(world.model.commit({ streams: { s: {}, t: {} } }, world.signal));
    const writer = await run(world.source("ingress"));
    const early = await run(world.openLane(writer, "s"));
    await run(world.publish(early, "before"));
    await run(world.runtime("r"));
    await clock.advance(500);
    await run(world.model.commit({ queries: { a: { from: "s", to: "t", v: 1 } } }, world.signal));
    await clock.advance(500);
    const late = await run(world.openLane(writer, "s"));
    await run(world.publish(early, "after"));
    await run(world.publish(late, "late"));
    await clock.advance(1_000);
    expect(await textsOf("t")).toEqual(["a.v1(after)#0", "a.v1(late)#0"]);
  });

  it("ends a removed query at the marker of its removal; made again, it is another one", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { runner } = await run(world.runtime("r"));
    await run(world.publish(lane, "m1"));
    await clock.advance(500);
    await run(world.model.commit({ queries: { a: null } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m2"));
    await clock.advance(1_000);
    expect(await shownLanes("t")).toEqual(["<1> a.v1(m1)#0 <2> ."]);
    expect(runner.status().units.map(({ query }) => query)).toEqual([]);
    await run(world.model.commit({ queries: { a: { from: "s", to: "t", v: 7 } } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m3"));
    await clock.advance(1_000);
    expect(await shownLanes("t")).toEqual(["<1> a.v1(m1)#0 <2> .", "<3> a.v7(m3)#0 …"]);
  });

  it("moves to the new stream when `to` changes, and to the new input when `from` changes", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const s = await run(world.openLane(writer, "s"));
    const u = await run(world.openLane(writer, "u"));
    await run(world.runtime("r", {}, { serves: (query) => query.startsWith("query/a") }));
    await run(world.publish(s, "m1"));
    await clock.advance(500);
    await run(world.model.commit({ queries: { a: { from: "s", to: "u", v: 2 } } }, world.signal));
    await clock.advance(500);
    await run(world.publish(s, "m2"));
    await clock.advance(500);
    await run(world.model.commit({ queries: { a: { from: "u", to: "t", v: 3 }, b: null } }, world.signal));
    await clock.advance(500);
    await run(world.publish(s, "m3"));
    await run(world.publish(u, "m4"));
    await clock.advance(1_000);
    const texts = [...(await textsOf("t")), ...(await textsOf("u"))].filter((text) => text.startsWith("a"));
    expect(texts.toSorted()).toEqual(["a.v1(m1)#0", "a.v2(m2)#0", "a.v3(m4)#0"]);
  });

  it("uses the tables of the epoch, and switches when only a table changes", async () => {
    const queries = { a: { from: "s", to: "t", v: 1, tables: ["bands"] } };
    await run(
      world.model.commit({ streams: { s: {}, t: {} }, tables: { bands: { v: 1 } }, queries }, world.signal),
    );
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    await run(world.runtime("r"));
    await run(world.publish(lane, "m1"));
    await clock.advance(500);
    await run(world.model.commit({ tables: { bands: { v: 2 } } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m2"));
    await clock.advance(500);
    expect(await textsOf("t")).toEqual(["a.v1+bands.v1(m1)#0", "a.v1+bands.v2(m2)#0"]);
  });

  it("opens a lane with the new retention behind the old one when the stream's retention changes", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    await run(world.runtime("r"));
    await run(world.publish(lane, "m1"));
    await clock.advance(500);
    await run(world.model.commit({ streams: { t: { retentionMs: 60_000 } } }, world.signal));
    await clock.advance(1_000);
    const lanes = await run(readLanes(world.stores.laneStore, world.signal));
    const t = lanes.filter(({ record }) => record.info.stream === world.model.identity("stream", "t"));
    expect(t.map(({ record: { info } }) => info.retentionMs)).toEqual([undefined, 60_000]);
    expect(t[1]?.record.info.predecessor).toBe(t[0]?.record.info.id);
  });
});

describe("what is missing", () => {
  it("I12: holds at the marker whose binding is missing, says so, and goes on by itself once it can be had", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { runner, host } = await run(
      world.runtime("r", {}, { serves: (query) => query.startsWith("query/a") }),
    );
    await run(world.publish(lane, "m1"));
    await clock.advance(500);
    const a = { from: "s", to: "t", v: 2 };
    await run(world.model.commit({ queries: { a } }, world.signal, { withhold: ["a"] }));
    await clock.advance(500);
    await run(world.publish(lane, "m2"));
    await clock.advance(2_000);
    // Not a call with the old program, not a marker, not a message left out.
    expect(host.calls).toEqual([{ program: "a.v1", inputs: ["m1"] }]);
    expect(await shownLanes("t")).toEqual(["<1> a.v1(m1)#0 …"]);
    expect(runner.status().units[0]?.holding).toMatch(/^BINDING_MISSING: .*query\/a@1/);
    const { laneStore } = world.stores;
    const query = world.model.identity("query", "a");
    const checkpoints = await run(laneStore.readCheckpoints(lane.info.model, query, lane.id, world.signal));
    expect(checkpoints[0]?.holding).toMatch(/^BINDING_MISSING/);
    await run(world.model.repair(2, "query", "a", world.signal));
    await clock.advance(1_000);
    expect(await shownLanes("t")).toEqual(["<1> a.v1(m1)#0 <2> a.v2(m2)#0 …"]);
    expect(runner.status().units[0]?.holding).toBeUndefined();
  });

  it("I12: asks for the configuration of the epoch at the position where the data plane has lost it", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const asked: number[] = [];
    const coldBoot = (_model: string, epoch: number): Promise<ReadonlyMap<string, string>> => {
      asked.push(epoch);
      const content = world.model.contentAt(epoch, "query", "a");
      return Promise.resolve(new Map([[hashOf(content), content]]));
    };
    await run(world.runtime("r", {}, { coldBoot }));
    await clock.advance(500);
    const a = { from: "s", to: "t", v: 2 };
    await run(world.model.commit({ queries: { a } }, world.signal, { withhold: ["a"] }));
    await clock.advance(300);
    await run(world.publish(lane, "m2"));
    await clock.advance(1_000);
    expect(await textsOf("t")).toEqual(["a.v2(m2)#0"]);
    expect(new Set(asked)).toEqual(new Set([2]));
  });

  it("holds while the host fails as a whole, and blames no message", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { runner, host } = await run(world.runtime("r"));
    host.broken = () => true;
    await run(world.publish(lane, "m1"));
    await clock.advance(1_000);
    expect(runner.status().units.find(({ query }) => query.startsWith("query/a"))?.holding).toMatch(
      /^HOST_FAILED/,
    );
    host.broken = () => false;
    await clock.advance(3_000);
    expect(await textsOf("u")).toEqual(["b.v1(a.v1(m1)#0)#0"]);
    expect(runner.status().counts.deadLetters).toBe(0);
  });
});

describe("the control plane", () => {
  it("I9: may be down, and hints may be lost: what can be done goes on", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const deaf = { wake: { ...world.stores.wake, listen: () => () => undefined } };
    const coldBoot = (): Promise<never> => Promise.reject(new Error("the control plane is down"));
    await run(world.runtime("r", deaf, { coldBoot }));
    await run(world.publish(lane, "m1"));
    await clock.advance(2_000);
    // A query whose binding is lost holds its own lanes, and no others.
    const lost = { from: "s", to: "u", v: 1 };
    const queries = { lost, b: { from: "t", to: "u", v: 2 } };
    await run(world.model.commit({ queries }, world.signal, { withhold: ["lost"] }));
    await clock.advance(2_000);
    await run(world.publish(lane, "m2"));
    const late = await run(world.openLane(writer, "s"));
    await run(world.publish(late, "m3"));
    await clock.advance(2_000);
    const texts = ["b.v1(a.v1(m1)#0)#0", "b.v2(a.v1(m2)#0)#0", "b.v2(a.v1(m3)#0)#0"];
    expect((await textsOf("u")).toSorted()).toEqual(texts);
  });

  it("I10: is asked nothing while the data plane has what is needed", async () => {
    await twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const asked: number[] = [];
    const coldBoot = (_model: string, epoch: number): Promise<ReadonlyMap<string, string>> => {
      asked.push(epoch);
      return Promise.resolve(new Map());
    };
    const { runner } = await run(world.runtime("r", {}, { coldBoot }));
    await run(world.publish(lane, "m1"));
    await run(world.model.commit({ queries: { a: { from: "s", to: "t", v: 2 } } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m2"));
    await clock.advance(500);
    await run(close(runner));
    expect(await textsOf("t")).toEqual(["a.v1(m1)#0", "a.v2(m2)#0"]);
    expect(asked).toEqual([]);
  });
});

describe("inputs that fail", () => {
  it("go to the dead letters after bounded retries, and the lane goes on", async () => {
    const a = { from: "s", to: "t", v: 1, onError: { retries: 2, then: "dead-letter" as const } };
    await run(world.model.commit({ streams: { s: {}, t: {} }, queries: { a } }, world.signal));
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { runner, host } = await run(world.runtime("r"));
    await run(world.publish(lane, "m1", "m2!busy", "m3!bad", "m4"));
    await clock.advance(2_000);
    expect(await textsOf("t")).toEqual(["a.v1(m1)#0", "a.v1(m4)#0"]);
    const letters = (await deadLetters()) as { seq: number; attempts: number; reason: string }[];
    expect(letters.map(({ seq, attempts, reason }) => [seq, attempts, reason])).toEqual([
      [3, 3, "BUSY"],
      [4, 1, "BAD"],
    ]);
    expect(host.calls.filter(({ inputs }) => inputs.includes("m2!busy"))).toHaveLength(3);
    expect(runner.status().counts).toMatchObject({ deadLetters: 2, retries: 2, outputs: 2 });
  });

  it("are given up by hand while their call hangs, and never called again after a restart", async () => {
    await run(
      world.model.commit(
        { streams: { s: {}, t: {} }, queries: { a: { from: "s", to: "t", v: 1 } } },
        world.signal,
      ),
    );
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const first = await run(world.runtime("r1"));
    first.host.delay = (_program, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    await run(world.publish(lane, "poison"));
    await clock.advance(500);
    const query = world.model.identity("query", "a");
    const order = { query, lane: lane.id, seq: seq(2), actor: "ann", reason: "hangs" };
    await run(world.stores.laneStore.putDeadLetterOrder(MODEL, order, world.signal));
    await clock.advance(1_000);
    expect(await deadLetters()).toMatchObject([{ seq: 2, by: "ann", reason: "GIVEN_UP", message: "hangs" }]);
    await first.kill();
    const second = await run(world.runtime("r2"));
    await run(world.publish(lane, "m2"));
    await clock.advance(15_000);
    expect(second.host.calls).toEqual([{ program: "a.v1", inputs: ["m2"] }]);
  });

  it("of a slow query do not stop the others", async () => {
    const queries = { a: { from: "s", to: "t", v: 1 }, slow: { from: "s", to: "u", v: 1 } };
    await run(world.model.commit({ streams: { s: {}, t: {}, u: {} }, queries }, world.signal));
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { host } = await run(world.runtime("r"));
    host.delay = (program, signal) =>
      program.startsWith("slow") ? clock.sleep(60_000, signal) : Promise.resolve();
    for (let at = 0; at < 30; at++) {
      await run(world.publish(lane, `m${at}`));
      await clock.advance(50);
    }
    await clock.advance(500);
    expect(await textsOf("t")).toHaveLength(30);
    expect(await textsOf("u")).toHaveLength(0);
  });
});

async function deadLetters(): Promise<readonly unknown[]> {
  const lanes = await run(readLanes(world.stores.laneStore, world.signal));
  const rows = lanes
    .filter(({ record }) => record.info.stream === DEAD_LETTERS_STREAM)
    .flatMap((lane) => lane.rows);
  return rows.flatMap((row) =>
    row.kind === "data" ? [JSON.parse(new TextDecoder().decode(row.payload)) as unknown] : [],
  );
}

describe("several runtimes", () => {
  async function someLanes(count: number): Promise<{ writer: LaneWriter; lanes: readonly OpenLane[] }> {
    const writer = await run(world.source("ingress"));
    const lanes: OpenLane[] = [];
    for (let at = 0; at < count; at++) lanes.push(await run(world.openLane(writer, "s")));
    return { writer, lanes };
  }
  async function feed(lanes: readonly OpenLane[], rounds: number, eachMs: number, name = "m"): Promise<void> {
    for (let at = 0; at < rounds; at++) {
      await run(Promise.all(lanes.map((lane) => world.publish(lane, `${name}${at}`))).then(() => undefined));
      await clock.advance(eachMs);
    }
  }

  it("share the lanes, and the second to come gets its part", async () => {
    await twoHops();
    const { writer, lanes } = await someLanes(8);
    const first = await run(world.runtime("r1"));
    await clock.advance(2_000);
    expect(first.runner.status().units).toHaveLength(16);
    const second = await run(world.runtime("r2"));
    await feed(lanes, 60, 250);
    const counts = [first, second].map(({ runner }) => runner.status().units.length);
    expect(counts[0]! + counts[1]!).toBe(16);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(3);
    await run(close(writer));
    await clock.advance(4_000);
    expect((await judge()).problems).toEqual([]);
    expect(warnings()).toEqual([]);
  });

  it("I8: one dies, and the other goes on where its durable rows say, each input once", async () => {
    await twoHops();
    const { writer, lanes } = await someLanes(3);
    const first = await run(world.runtime("r1"));
    await clock.advance(1_000);
    await run(world.runtime("r2"));
    await feed(lanes, 20, 100);
    await first.kill();
    await feed(lanes, 20, 300, "n");
    await clock.advance(10_000);
    await feed(lanes, 5, 300, "o");
    await run(close(writer));
    await clock.advance(6_000);
    const { problems, judged } = await judge();
    expect(problems).toEqual([]);
    expect(judged).toBe(3 * 45 * 2);
  });

  it("I7: the next one's lanes open no lower than where the dead one's ended", async () => {
    await twoHops();
    const { lanes } = await someLanes(1);
    const first = await run(world.runtime("r1"));
    await feed(lanes, 2, 100);
    // The input stays at epoch 1; the derived lane is at 2 by insertion.
    await run(world.model.commit({ queries: { b: { from: "t", to: "u", v: 2 } } }, world.signal));
    await clock.advance(500);
    await first.kill();
    await run(world.runtime("r2"));
    await clock.advance(10_000);
    expect(await shownLanes("t")).toEqual(["<1> a.v1(m0)#0 a.v1(m1)#0 [2] .", "<2> …"]);
  });

  it("I8: one sleeps for three leases, wakes, finds its lease lost, and joins again", async () => {
    await twoHops();
    const { writer, lanes } = await someLanes(3);
    const sleeper = new SleepyClock(clock);
    const stores = { clock: sleeper, laneStore: sleeper.before(world.stores.laneStore) };
    const first = await run(world.runtime("r1", stores));
    const second = await run(world.runtime("r2"));
    await feed(lanes, 20, 100);
    const before = first.runner.status().writer;
    sleeper.fallAsleep();
    await feed(lanes, 40, 200, "n");
    sleeper.wakeUp();
    await clock.advance(3_000);
    expect(first.runner.status().writer).not.toBe(before);
    await feed(lanes, 20, 500, "o");
    expect(first.runner.status().units.length).toBeGreaterThan(0);
    expect(second.runner.status().units.length).toBeGreaterThan(0);
    await run(close(writer));
    await clock.advance(6_000);
    const { problems, judged } = await judge();
    expect(problems).toEqual([]);
    expect(judged).toBe(3 * 80 * 2);
  });

  it("a stopped one gives its units up at once, with its lanes ended", async () => {
    await twoHops();
    const { writer, lanes } = await someLanes(2);
    const first = await run(world.runtime("r1"));
    await feed(lanes, 5, 100);
    const second = await run(world.runtime("r2"));
    await run(close(first.runner));
    await feed(lanes, 5, 100, "n");
    // Well within a lease: nobody had to be sealed.
    await clock.advance(500);
    expect(second.runner.status().units).toHaveLength(4);
    expect(world.logged.filter((line) => line.includes("lane.sealed"))).toEqual([]);
    await run(close(writer));
    await clock.advance(4_000);
    expect((await judge()).problems).toEqual([]);
  });

  it("reads a lane only after the lane that it continues, group and all", async () => {
    await twoHops();
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
    expect(await textsOf("t")).toHaveLength(2);
    await run(first.end(world.signal).then(() => undefined));
    await clock.advance(1_000);
    expect(await textsOf("t")).toHaveLength(2);
    await run(sibling.end(world.signal).then(() => undefined));
    await clock.advance(2_000);
    expect(await textsOf("u")).toHaveLength(3);
    // The derived lanes continue each other as their inputs do.
    const lanes = await run(readLanes(laneStore, world.signal));
    const derivedOf = (input: OpenLane): LaneRecord["info"] | undefined =>
      lanes.find(({ record }) => record.info.derived?.inputLane === input.id)?.record.info;
    expect(derivedOf(next)?.predecessor).toBe(derivedOf(first)?.id);
    expect(derivedOf(first)?.group).toEqual({ id: expect.stringContaining("g1"), index: 0, size: 2 });
    expect(runner.status().units).toHaveLength(2);
  });

  it("take lanes that everybody has read out of the index of live ones", async () => {
    await twoHops();
    const { writer, lanes } = await someLanes(2);
    await run(world.runtime("r1"));
    await feed(lanes, 3, 100);
    await run(close(writer));
    await clock.advance(4_000);
    expect(await run(world.stores.laneStore.listLanes(MODEL, {}, world.signal))).toEqual([]);
    expect((await judge()).problems).toEqual([]);
  });

  it("rolls over when somebody asks for the end of a derived lane", async () => {
    await twoHops();
    const { writer, lanes } = await someLanes(1);
    await run(world.runtime("r1"));
    await feed(lanes, 3, 100);
    const all = await run(readLanes(world.stores.laneStore, world.signal));
    const t = all.find(({ record }) => record.info.stream === world.model.identity("stream", "t"));
    await run(world.stores.laneStore.requestClose(MODEL, t!.record.info.id, world.signal));
    await clock.advance(1_000);
    await feed(lanes, 3, 100, "n");
    await clock.advance(1_000);
    expect(await shownLanes("t")).toHaveLength(2);
    await run(close(writer));
    await clock.advance(4_000);
    expect((await judge()).problems).toEqual([]);
  });
});

describe("a program of another team", () => {
  it("R7: has its crossing recorded after everything before the marker is done", async () => {
    const queries = { a: { from: "s", v: 1 } };
    await run(world.model.commit({ streams: { s: {} }, queries }, world.signal));
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { host } = await run(world.runtime("r"));
    host.invoke = (_id, invocations) =>
      Promise.resolve(invocations.map(() => ({ type: "outputs", outputs: [] })));
    await run(world.publish(lane, "m1"));
    await clock.advance(500);
    const { laneStore } = world.stores;
    const query = world.model.identity("query", "a");
    expect(await run(laneStore.readCrossing(MODEL, query, lane.id, world.signal))).toBe(1);
    let release = (): void => undefined;
    host.invoke = (_id, invocations) =>
      new Promise((resolve) => {
        release = () => resolve(invocations.map(() => ({ type: "outputs", outputs: [] })));
      });
    await run(world.publish(lane, "m2"));
    await run(world.model.commit({ queries: { a: { from: "s", v: 2 } } }, world.signal));
    await clock.advance(2_000);
    expect(await run(laneStore.readCrossing(MODEL, query, lane.id, world.signal))).toBe(1);
    release();
    await clock.advance(500);
    expect(await run(laneStore.readCrossing(MODEL, query, lane.id, world.signal))).toBe(2);
  });
});
