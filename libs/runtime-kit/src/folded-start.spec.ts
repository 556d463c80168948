/** A runtime that begins at folded bindings does what one does that has read the whole ledger. */
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { laneId } from "@greco/domain/lane";
import type { Epoch } from "@greco/domain/model";
import { snapshotStart } from "@greco/lane-kit";
import type { LaneStore } from "@greco/ports";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MODEL } from "./testing/small-model.ts";
import { Stage } from "./testing/stage.ts";
import type { World } from "./testing/world.ts";

let clock: SimulatedClock;
let stage: Stage;
let world: World;
/** After which epochs the ledger was read. */
let readAfter: Epoch[];

beforeEach(async () => {
  clock = simulatedClock();
  const store = await openEmbeddedLaneStore({ path: ":memory:", clock });
  const laneStore = Object.assign(Object.create(store) as LaneStore, {
    readLedger: (...args: Parameters<LaneStore["readLedger"]>) => {
      readAfter.push(args[1]);
      return store.readLedger(...args);
    },
  });
  const bindingStore = await openEmbeddedBindingStore({ path: ":memory:", clock });
  stage = new Stage({ laneStore, bindingStore, wake: createEmbeddedWake(), clock, ids: simulatedIds() });
  ({ world } = stage);
  readAfter = [];
});
afterEach(() => stage[Symbol.asyncDispose]());

const run = <T>(work: Promise<T>): Promise<T> => clock.drive(work);

async function fold(): Promise<void> {
  await run(world.fold());
  readAfter = [];
}

const commitA = (v: number) =>
  run(world.model.commit({ queries: { a: { from: "s", to: "t", v } } }, world.signal));

it("I6: begins at the newest snapshot that no live lane is behind, and gives each message the bindings of its epoch", async () => {
  await stage.twoHops();
  await commitA(2);
  await fold();
  const { writer, lanes } = await stage.someLanes(2);
  await stage.feed(lanes, 2, 10, "old");
  await commitA(3);
  await clock.advance(300);
  await stage.feed(lanes, 2, 10, "new");
  // Too new for lanes that hold rows of epoch 2.
  await fold();
  await run(world.runtime("r"));
  await clock.advance(1_000);
  expect(Math.min(...readAfter)).toBe(2);
  await commitA(4);
  await clock.advance(300);
  await stage.feed(lanes, 2, 10, "newest");
  await stage.close(writer);
  await clock.advance(4_000);
  const { problems, judged } = await stage.judge();
  expect(problems).toEqual([]);
  expect(judged).toBe(2 * 6 * 2);
  expect(stage.warnings()).toEqual([]);
});

it("reads the whole ledger while a lane may still open at any epoch, or where there is no snapshot", async () => {
  await stage.twoHops();
  expect(await run(snapshotStart({ ...world.stores, model: MODEL }, world.signal))).toBeUndefined();
  await fold();
  const start = async () =>
    (await run(snapshotStart({ ...world.stores, model: MODEL }, world.signal)))?.epoch;
  expect(await start()).toBe(1);
  const { writer } = await stage.someLanes(1);
  expect(await start()).toBe(1);
  const stream = world.model.identity("stream", "s");
  const fixed = { model: MODEL, stream, writer: writer.id, registeredAtMs: 0 };
  const id = laneId("unopened");
  await run(world.stores.laneStore.registerLane({ ...fixed, id }, world.signal));
  expect(await start()).toBeUndefined();
});
