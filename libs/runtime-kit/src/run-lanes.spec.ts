import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkLanes, readLanes } from "./testing/check-lanes.ts";
import { World } from "./testing/world.ts";

let folder: string;
let clock: SimulatedClock;
let world: World;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "greco-runtime-"));
  clock = simulatedClock();
  const laneStore = await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock });
  const bindingStore = await openEmbeddedBindingStore({ path: join(folder, "bindings.db"), clock });
  world = new World({ laneStore, bindingStore, wake: createEmbeddedWake(), clock, ids: simulatedIds() });
});
afterEach(async () => {
  world.end();
  await clock.advance(5_000);
  const { laneStore, bindingStore, wake } = world.stores;
  await laneStore[Symbol.asyncDispose]();
  await bindingStore[Symbol.asyncDispose]();
  await wake[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const close = async (what: AsyncDisposable): Promise<void> => what[Symbol.asyncDispose]();
const run = <T>(work: Promise<T>): Promise<T> => clock.drive(work);

async function judge(complete = true): Promise<{ problems: readonly string[]; judged: number }> {
  const lanes = await run(readLanes(world.stores.laneStore, world.signal));
  return checkLanes(world.model, lanes, { complete });
}

describe("runLanes", () => {
  it("executes a query on a lane, switches at the marker, and is done at its end", async () => {
    await run(
      world.model.commit(
        { streams: { s: {}, t: {} }, queries: { a: { from: "s", to: "t", v: 1 } } },
        world.signal,
      ),
    );
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    await run(world.publish(lane, "m1", "m2"));
    const { runner, host } = await run(world.runtime("r"));
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
    expect(await judge()).toEqual({ problems: [], judged: 3 });
    await run(close(runner));
    expect(world.logged.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });
});
