import { epoch } from "@greco/domain/model";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ColdBootRequest } from "./cold-boot.ts";
import { readLanes } from "./testing/check-lanes.ts";
import { Stage } from "./testing/stage.ts";
import type { World } from "./testing/world.ts";
import { TEST_LIMITS } from "./testing/world.ts";

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

describe("a query on a lane", () => {
  it("switches at the marker, and is done at the lane's end", async () => {
    await stage.twoHops();
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
    await stage.close(writer);
    await clock.advance(2_000);
    expect(runner.status().units).toEqual([]);
    expect(await stage.shownLanes("t")).toEqual(["<1> a.v1(m1)#0 a.v1(m2)#0 <2> a.v2(m3)#0 ."]);
    await stage.close(runner);
    expect(stage.warnings()).toEqual([]);
  });

  it("I6: carries each message along its whole path under one epoch, two hops changed alone and together", async () => {
    await stage.twoHops();
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
    await stage.close(writer);
    await clock.advance(3_000);
    const { problems, judged } = await stage.judge();
    expect(problems).toEqual([]);
    // Outputs of the first hop are inputs of the second: 66 messages, one of which makes three and one none.
    expect(judged).toBe(65 + 67);
    expect(await stage.textsOf("u")).toContain("b.v3(a.v3(after)#0)#0");
    await stage.close(runner);
    expect(stage.warnings()).toEqual([]);
  });

  it("goes on when more is waiting than it may hold at once", async () => {
    await stage.twoHops();
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
    expect(await stage.textsOf("u")).toHaveLength(100);
  });

  it("inserts in its derived lane the marker of an epoch that changes only what is below (R4)", async () => {
    await stage.twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    await run(world.publish(lane, "m1"));
    await run(world.runtime("r"));
    await clock.advance(500);
    await run(world.model.commit({ queries: { b: { from: "t", to: "u", v: 2 } } }, world.signal));
    await clock.advance(500);
    expect(await stage.shownLanes("t")).toEqual(["<1> a.v1(m1)#0 [2] …"]);
    expect(await stage.shownLanes("u")).toEqual(["<1> b.v1(a.v1(m1)#0)#0 <2> …"]);
    expect(await stage.shownLanes("s")).toEqual(["[1] m1 …"]);
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
    expect(await stage.textsOf("t")).toEqual(["a.v1(after)#0", "a.v1(late)#0"]);
  });

  it("ends a removed query at the marker of its removal; made again, it is another one", async () => {
    await stage.twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { runner } = await run(world.runtime("r"));
    await run(world.publish(lane, "m1"));
    await clock.advance(500);
    await run(world.model.commit({ queries: { a: null } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m2"));
    await clock.advance(1_000);
    expect(await stage.shownLanes("t")).toEqual(["<1> a.v1(m1)#0 <2> ."]);
    expect(runner.status().units.map(({ query }) => query)).toEqual([]);
    await run(world.model.commit({ queries: { a: { from: "s", to: "t", v: 7 } } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m3"));
    await clock.advance(1_000);
    expect(await stage.shownLanes("t")).toEqual(["<1> a.v1(m1)#0 <2> .", "<3> a.v7(m3)#0 …"]);
  });

  it("moves to the new stream when `to` changes, and to the new input when `from` changes", async () => {
    await stage.twoHops();
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
    const texts = [...(await stage.textsOf("t")), ...(await stage.textsOf("u"))].filter((text) =>
      text.startsWith("a"),
    );
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
    expect(await stage.textsOf("t")).toEqual(["a.v1+bands.v1(m1)#0", "a.v1+bands.v2(m2)#0"]);
  });

  it("opens a lane with the new retention behind the old one when the stream's retention changes", async () => {
    await stage.twoHops();
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
    await stage.twoHops();
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
    expect(await stage.shownLanes("t")).toEqual(["<1> a.v1(m1)#0 …"]);
    expect(runner.status().units[0]?.holding).toMatch(/^BINDING_MISSING: .*query\/a@1/);
    const { laneStore } = world.stores;
    const query = world.model.identity("query", "a");
    const checkpoints = await run(laneStore.readCheckpoints(lane.info.model, query, lane.id, world.signal));
    expect(checkpoints[0]?.holding).toMatch(/^BINDING_MISSING/);
    await run(world.model.repair(2, "query", "a", world.signal));
    await clock.advance(1_000);
    expect(await stage.shownLanes("t")).toEqual(["<1> a.v1(m1)#0 <2> a.v2(m2)#0 …"]);
    expect(runner.status().units[0]?.holding).toBeUndefined();
  });

  it("I12: asks for what the data plane has lost, as the ledger names it at the position, and goes on", async () => {
    await stage.twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const asked: ColdBootRequest["bindings"][number][] = [];
    const coldBoot = async ({ bindings }: ColdBootRequest): Promise<void> => {
      asked.push(...bindings);
      await world.model.repair(2, "query", "a", world.signal);
    };
    await run(world.runtime("r", {}, { coldBoot }));
    await clock.advance(500);
    const a = { from: "s", to: "t", v: 2 };
    await run(world.model.commit({ queries: { a } }, world.signal, { withhold: ["a"] }));
    await clock.advance(300);
    await run(world.publish(lane, "m2"));
    await clock.advance(1_000);
    expect(await stage.textsOf("t")).toEqual(["a.v2(m2)#0"]);
    const [entry] = await run(world.stores.laneStore.readLedger(lane.info.model, epoch(1), 1, world.signal));
    expect(asked).toEqual([{ entity: "query/a@1", candidate: entry?.candidate }]);
  });

  it("holds while the host fails as a whole, and blames no message", async () => {
    await stage.twoHops();
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
    expect(await stage.textsOf("u")).toEqual(["b.v1(a.v1(m1)#0)#0"]);
    expect(runner.status().counts.deadLetters).toBe(0);
  });
});

describe("the control plane", () => {
  it("I9: may be down, and hints may be lost: what can be done goes on", async () => {
    await stage.twoHops();
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
    expect((await stage.textsOf("u")).toSorted()).toEqual(texts);
  });

  it("I10: is asked nothing while the data plane has what is needed", async () => {
    await stage.twoHops();
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const asked: ColdBootRequest[] = [];
    const coldBoot = (request: ColdBootRequest): Promise<void> => {
      asked.push(request);
      return Promise.resolve();
    };
    const { runner } = await run(world.runtime("r", {}, { coldBoot }));
    await run(world.publish(lane, "m1"));
    await run(world.model.commit({ queries: { a: { from: "s", to: "t", v: 2 } } }, world.signal));
    await clock.advance(500);
    await run(world.publish(lane, "m2"));
    await clock.advance(500);
    await stage.close(runner);
    expect(await stage.textsOf("t")).toEqual(["a.v1(m1)#0", "a.v2(m2)#0"]);
    expect(asked).toEqual([]);
  });
});
