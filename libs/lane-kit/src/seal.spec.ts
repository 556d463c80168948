import { laneId, seq } from "@greco/domain/lane";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { beforeEach, describe, expect, it } from "vitest";
import { readLane } from "./lane-reader.ts";
import { openLaneWriter } from "./lane-writer.ts";
import { sealLapsedWriters, sealWriter } from "./seal.ts";
import type { MemoryLaneStore } from "./testing/memory-lane-store.ts";
import { createMemoryLaneStore } from "./testing/memory-lane-store.ts";
import { directWake, MODEL, silentLog, STREAM } from "./testing/world.ts";
import type { LaneWriter, OpenLane } from "./writer.ts";

const LEASE_MS = 1000;
const never = new AbortController().signal;

describe("sealing and reading", () => {
  let clock: SimulatedClock;
  let store: MemoryLaneStore;
  let world: Parameters<typeof openLaneWriter>[0];
  let alive: AbortController;

  beforeEach(() => {
    clock = simulatedClock();
    store = createMemoryLaneStore({ clock, chance: () => 0.5 });
    alive = new AbortController();
    world = {
      laneStore: store,
      wake: directWake(),
      clock,
      ids: simulatedIds(),
      log: silentLog,
      model: MODEL,
      name: "test",
      leaseMs: LEASE_MS,
    };
  });

  async function writerWithLane(): Promise<[LaneWriter, OpenLane]> {
    const writer = await clock.drive(openLaneWriter(world, alive.signal));
    const lane = await clock.drive(writer.openLane({ stream: STREAM }, never));
    await clock.drive(lane.append([{ key: "a", payload: new Uint8Array() }], never));
    return [writer, lane];
  }
  const stateOf = async (lane: OpenLane) => (await clock.drive(store.getLane(MODEL, lane.id, never)))?.state;
  function follow(lane: OpenLane, signal: AbortSignal, from = 1) {
    const seen: (number | string)[] = [];
    const options = { ...world, lane: lane.id, from: seq(from) };
    const done = (async () => {
      for await (const batch of readLane(options, signal)) {
        if (batch.type === "end") seen.push(`end ${batch.end}`);
        else seen.push(...batch.entries.map((entry) => entry.seq));
      }
    })();
    return { seen, done };
  }

  it("R2: leaves a writer alone that renews its lease", async () => {
    const [writer, lane] = await writerWithLane();
    expect(await clock.drive(sealWriter(world, writer.id, never))).toBe("alive");
    expect((await stateOf(lane))?.end).toBeUndefined();
    await clock.drive(writer[Symbol.asyncDispose]());
  });

  it("R2: seals a dead writer's lanes at their tails, no sooner than four leases after its last renewal", async () => {
    const [writer, lane] = await writerWithLane();
    alive.abort();
    const beganMs = clock.monotonicMs();
    expect(await clock.drive(sealWriter(world, writer.id, never))).toBe("sealed");
    expect(clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(4 * LEASE_MS);
    expect((await stateOf(lane))?.end).toBe(2);
    expect((await clock.drive(store.readLease(MODEL, writer.id, never)))?.state).toBe("closed");
  });

  it("R2: lets any number seal at once, with one end", async () => {
    const [writer, lane] = await writerWithLane();
    alive.abort();
    const sealers = [0, 1, 2].map(() => sealWriter(world, writer.id, never));
    expect(await clock.drive(Promise.all(sealers))).toEqual(["sealed", "sealed", "sealed"]);
    expect((await stateOf(lane))?.end).toBe(2);
  });

  it("R3: ends a lane that was registered and never opened", async () => {
    const [writer, lane] = await writerWithLane();
    alive.abort();
    const id = laneId("late");
    await clock.drive(store.registerLane({ ...lane.info, id }, never));
    await clock.drive(sealWriter(world, writer.id, never));
    expect((await clock.drive(store.getLane(MODEL, id, never)))?.state.end).toBe(0);
  });

  it("seals by itself whoever lapses, and nobody else", async () => {
    const [, dead] = await writerWithLane();
    const [living, lane] = await (async () => {
      const killed = alive;
      alive = new AbortController();
      const pair = await writerWithLane();
      killed.abort();
      return pair;
    })();
    const stop = new AbortController();
    const sealing = sealLapsedWriters(world, stop.signal);
    await clock.advance(6 * LEASE_MS);
    expect((await stateOf(dead))?.end).toBe(2);
    expect((await stateOf(lane))?.end).toBeUndefined();
    stop.abort();
    await sealing;
    await clock.drive(living[Symbol.asyncDispose]());
    expect(clock.sleeping).toBe(0);
  });

  it("reads what is there and what comes, to the end", async () => {
    const [writer, lane] = await writerWithLane();
    const { seen, done } = follow(lane, never);
    await clock.advance(20);
    expect(seen).toEqual([1, 2]);
    await clock.drive(lane.append([{ key: "b", payload: new Uint8Array() }], never));
    await clock.drive(writer[Symbol.asyncDispose]());
    await clock.drive(done);
    expect(seen).toEqual([1, 2, 3, "end 3"]);
    const behind = follow(lane, never, 4);
    await clock.drive(behind.done);
    expect(behind.seen).toEqual(["end 3"]);
  });

  it("R2: holds back rows of a dead writer until they are sealed", async () => {
    const [writer, lane] = await writerWithLane();
    const { seen, done } = follow(lane, never);
    await clock.advance(20);
    alive.abort();
    await clock.advance(3 * LEASE_MS);
    // A zombie's row, sent before it died, lands late.
    const row = store.rows(lane.id)[1];
    if (row === undefined) throw new Error("no row");
    await clock.drive(store.append(MODEL, [{ lane: lane.id, entries: [{ ...row, seq: seq(3) }] }], never));
    await clock.advance(3 * LEASE_MS);
    expect(seen).toEqual([1, 2]);
    await clock.drive(sealWriter(world, writer.id, never));
    await clock.drive(done);
    expect(seen).toEqual([1, 2, 3, "end 3"]);
  });

  it("stops reading when it is told to, and leaves nothing behind", async () => {
    const [writer, lane] = await writerWithLane();
    const stop = new AbortController();
    const { done } = follow(lane, stop.signal);
    await clock.advance(20);
    stop.abort(new Error("enough"));
    await expect(done).rejects.toThrow("enough");
    await clock.drive(writer[Symbol.asyncDispose]());
    expect(clock.sleeping).toBe(0);
  });
});
