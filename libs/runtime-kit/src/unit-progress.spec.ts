import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
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
