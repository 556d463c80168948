import { epoch } from "@greco/domain/model";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { beforeEach, describe, expect, it } from "vitest";
import { followLedger } from "./ledger-follower.ts";
import type { MemoryLaneStoreOptions } from "./testing/memory-lane-store.ts";
import { createMemoryLaneStore } from "./testing/memory-lane-store.ts";
import { commit, deafWake, directWake, MODEL, silentLog } from "./testing/world.ts";

const never = new AbortController().signal;

describe("followLedger", () => {
  let clock: ReturnType<typeof simulatedClock>;
  let fault: MemoryLaneStoreOptions["fault"];

  beforeEach(() => {
    clock = simulatedClock();
    fault = undefined;
  });
  const world = (wake = directWake()) => {
    const laneStore = createMemoryLaneStore({ clock, chance: () => 0.5, fault: (call) => fault?.(call) });
    return { laneStore, wake, clock, ids: simulatedIds(), log: silentLog, model: MODEL };
  };

  it("R4: shows the gapless prefix only, entry by entry in order", async () => {
    const surroundings = world();
    await using follower = await clock.drive(followLedger(surroundings, never));
    const seen: number[] = [];
    follower.onGrow((entry) => seen.push(entry.epoch));
    await clock.drive(commit(surroundings, 1, {}, never));
    await clock.drive(commit(surroundings, 3, {}, never));
    await clock.advance(1000);
    expect([follower.newest, seen]).toEqual([1, [1]]);
    await clock.drive(commit(surroundings, 2, {}, never));
    await clock.advance(10);
    expect([follower.newest, seen]).toEqual([3, [1, 2, 3]]);
    expect(follower.entries(epoch(1)).map((entry) => entry.epoch)).toEqual([2, 3]);
  });

  it("polls when no hint comes, and goes on when the store does", async () => {
    const surroundings = world(deafWake);
    await using follower = await clock.drive(followLedger({ ...surroundings, pollMs: 100 }, never));
    const waiting = follower.waitFor(epoch(1), never);
    fault = () => "unavailable";
    await clock.advance(1000);
    fault = undefined;
    await clock.drive(commit(surroundings, 1, {}, never));
    await clock.drive(waiting);
    expect(follower.newest).toBe(1);
  });

  it("R3: refreshes by a read that begins after it was asked", async () => {
    const surroundings = world(deafWake);
    await using follower = await clock.drive(followLedger({ ...surroundings, pollMs: 1e9 }, never));
    const early = follower.refresh(never);
    await clock.drive(commit(surroundings, 1, {}, never));
    expect(await clock.drive(follower.refresh(never))).toBe(1);
    await early;
  });

  it("stops when it is told to, and leaves nothing behind", async () => {
    const surroundings = world();
    const follower = await clock.drive(followLedger(surroundings, never));
    const stop = new AbortController();
    const waiting = follower.waitFor(epoch(9), stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await follower[Symbol.asyncDispose]();
    await follower[Symbol.asyncDispose]();
    expect(clock.sleeping).toBe(0);
  });
});
