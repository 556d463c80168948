import type { EntityIdentity } from "@greco/domain/model";
import { epoch } from "@greco/domain/model";
import { seq } from "@greco/domain/lane";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LaneEndedError, LaneLostError } from "./errors.ts";
import { openLaneWriter } from "./lane-writer.ts";
import { followLedger } from "./ledger-follower.ts";
import type { MemoryLaneStore, MemoryLaneStoreOptions } from "./testing/memory-lane-store.ts";
import { createMemoryLaneStore } from "./testing/memory-lane-store.ts";
import { commit, deafWake, directWake, MODEL, silentLog, STREAM } from "./testing/world.ts";
import type { LaneWriter, LaneWriterOptions, NewEntry, OpenLane } from "./writer.ts";

const LEASE_MS = 1000;
const never = new AbortController().signal;
const message = (key: string): NewEntry => ({ key, payload: new TextEncoder().encode(`"${key}"`) });

describe("a lane writer", () => {
  let clock: SimulatedClock;
  let store: MemoryLaneStore;
  let calls: string[];
  let fault: MemoryLaneStoreOptions["fault"];
  let latencyMs: (call: string) => number;
  let writers: LaneWriter[];

  beforeEach(() => {
    clock = simulatedClock();
    calls = [];
    fault = undefined;
    latencyMs = () => 1;
    writers = [];
    store = createMemoryLaneStore({
      clock,
      chance: () => 0.5,
      latencyMs: (call) => {
        calls.push(call);
        return latencyMs(call);
      },
      fault: (call) => fault?.(call),
    });
  });

  afterEach(async () => {
    fault = undefined;
    latencyMs = () => 1;
    for (const writer of writers) await clock.drive(writer[Symbol.asyncDispose]());
    expect(clock.sleeping).toBe(0);
  });

  const world = (wake = directWake()) => ({
    laneStore: store,
    wake,
    clock,
    ids: simulatedIds(),
    log: silentLog,
    model: MODEL,
  });
  async function open(options: Partial<LaneWriterOptions> = {}): Promise<LaneWriter> {
    const all = { ...world(), name: "test", leaseMs: LEASE_MS, ...options };
    const writer = await clock.drive(openLaneWriter(all, never));
    writers.push(writer);
    return writer;
  }
  async function openWithLane(options: Partial<LaneWriterOptions> = {}): Promise<[LaneWriter, OpenLane]> {
    const writer = await open(options);
    return [writer, await clock.drive(writer.openLane({ stream: STREAM }, never))];
  }
  const epochs = (lane: OpenLane): (string | number)[] =>
    store.rows(lane.id).map((row) => (row.kind === "marker" ? `E${row.epoch}` : row.epoch));

  it("R3: is registered, then reads the ledger, then opens at the newest epoch of the gapless prefix", async () => {
    const writer = await open();
    await clock.drive(commit(world(), 1, {}, never));
    await clock.drive(commit(world(), 2, { scope: [] }, never));
    await clock.drive(commit(world(), 4, {}, never));
    calls.length = 0;
    const lane = await clock.drive(writer.openLane({ stream: STREAM }, never));
    const order = calls.filter((call) => ["registerLane", "readLedger", "append"].includes(call));
    expect(order.slice(0, 3)).toEqual(["registerLane", "readLedger", "append"]);
    expect(epochs(lane)).toEqual(["E2"]);
    expect(lane.current).toBe(2);
  });

  it("sends together what comes while a call is under way", async () => {
    const [, lane] = await openWithLane({ limits: { flights: 1 } });
    calls.length = 0;
    const first = lane.append([message("a")], never);
    await clock.advance(0);
    const others = ["b", "c", "d"].map((key) => lane.append([message(key)], never));
    const appended = await clock.drive(Promise.all([first, ...others]));
    expect(appended.map(([one]) => one?.seq)).toEqual([2, 3, 4, 5]);
    expect(calls.filter((call) => call === "append")).toHaveLength(2);
  });

  it("sends several lanes in one call", async () => {
    const [writer, lane] = await openWithLane();
    const other = await clock.drive(writer.openLane({ stream: STREAM }, never));
    calls.length = 0;
    await clock.drive(Promise.all([lane.append([message("a")], never), other.append([message("b")], never)]));
    expect(calls.filter((call) => call === "append")).toHaveLength(1);
  });

  it("R1: repeats the same rows after an unknown outcome, and acknowledges them once", async () => {
    const [, lane] = await openWithLane();
    let failures = 3;
    fault = (call) => {
      if (call !== "append" || failures === 0) return undefined;
      failures -= 1;
      return failures === 2 ? "unknown-done" : failures === 1 ? "unknown-late" : "unavailable";
    };
    const appended = await clock.drive(
      Promise.all([lane.append([message("a"), message("b")], never), lane.append([message("c")], never)]),
    );
    expect(appended.flat().map(({ seq: at }) => at)).toEqual([2, 3, 4]);
    await clock.advance(LEASE_MS);
    expect(store.rows(lane.id).map((row) => row.seq)).toEqual([1, 2, 3, 4]);
    expect(store.conflicts).toEqual([]);
  });

  it("R1: acknowledges nothing once the lease is over, even if the store says yes", async () => {
    const [writer, lane] = await openWithLane();
    latencyMs = (call) => (call === "append" ? 2 * LEASE_MS : 1);
    fault = (call) => (call === "renewLease" || call === "readLease" ? "unavailable" : undefined);
    await expect(clock.drive(lane.append([message("a")], never))).rejects.toThrow(LaneLostError);
    expect(writer.holds()).toBe(false);
    expect(writer.lost.aborted).toBe(true);
    await expect(lane.append([message("b")], never)).rejects.toThrow(LaneLostError);
  });

  it("R2: renews for as long as it lives, whatever the store loses", async () => {
    const [writer, lane] = await openWithLane();
    let turn = 0;
    fault = (call) => {
      if (call !== "renewLease") return undefined;
      turn += 1;
      return turn % 3 === 0 ? "unknown-done" : turn % 3 === 1 ? "unknown-late" : undefined;
    };
    await clock.advance(20 * LEASE_MS);
    expect(writer.holds()).toBe(true);
    await clock.drive(lane.append([message("a")], never));
  });

  it("R2: is lost when somebody closes its lease", async () => {
    const [writer] = await openWithLane();
    const lease = await clock.drive(store.readLease(MODEL, writer.id, never));
    await clock.drive(store.closeLease(MODEL, writer.id, lease?.count ?? 0, never));
    await clock.advance(LEASE_MS);
    expect(writer.lost.aborted).toBe(true);
  });

  it("R4: takes in the markers in its scope, in ledger order, before anything that comes after them", async () => {
    const surroundings = world();
    const [, lane] = await openWithLane(surroundings);
    await clock.drive(lane.append([message("a")], never));
    await clock.drive(commit(surroundings, 2, {}, never));
    await clock.drive(commit(surroundings, 1, {}, never));
    await clock.drive(commit(surroundings, 3, { scope: [] }, never));
    await clock.advance(10);
    expect(lane.current).toBe(3);
    expect((await clock.drive(lane.append([message("b")], never)))[0]?.epoch).toBe(2);
    expect(epochs(lane)).toEqual(["E0", 0, "E1", "E2", 2]);
  });

  it("R4: skips a marker that is not above the lane's epoch", async () => {
    const [writer] = await openWithLane();
    const lane = await clock.drive(writer.openLane({ stream: STREAM, openAt: epoch(5) }, never));
    expect(await lane.marker(epoch(5))).toBeUndefined();
    expect(await clock.drive(lane.marker(epoch(7)))).toEqual({ seq: 2, epoch: 7 });
    expect(await lane.marker(epoch(6))).toBeUndefined();
    expect(epochs(lane)).toEqual(["E5", "E7"]);
  });

  it("prepares an epoch before its markers go in, and does not wait for it for ever", async () => {
    const surroundings = world();
    const prepared: number[] = [];
    const [, lane] = await openWithLane({
      ...surroundings,
      prepareEpoch: async (entry) => {
        prepared.push(entry.epoch);
        if (entry.epoch === 2) await new Promise<never>(() => undefined);
        expect(lane.epoch).toBeLessThan(entry.epoch);
      },
    });
    await clock.drive(commit(surroundings, 1, {}, never));
    await clock.drive(commit(surroundings, 2, {}, never));
    await clock.advance(10);
    expect(lane.epoch).toBe(1);
    await clock.advance(LEASE_MS);
    expect(lane.epoch).toBe(2);
    expect(prepared).toEqual([1, 2]);
  });

  it("R5: ends a lane whose end is asked for, at its next renewal, with all that it took", async () => {
    const [writer, lane] = await openWithLane();
    await clock.drive(lane.append([message("a")], never));
    await clock.drive(store.requestClose(MODEL, lane.id, never));
    await clock.advance(LEASE_MS);
    expect(lane.closed.reason).toBeInstanceOf(LaneEndedError);
    await expect(lane.append([message("b")], never)).rejects.toThrow(LaneEndedError);
    expect((await clock.drive(store.getLane(MODEL, lane.id, never)))?.state.end).toBe(2);
    expect(writer.lost.aborted).toBe(false);
    expect(writer.lanes()).toEqual([]);
  });

  it("R8: reads the ledger with each renewal, though no hint comes and nobody polls", async () => {
    const surroundings = world(deafWake);
    const ledger = await clock.drive(followLedger({ ...surroundings, pollMs: 1e9 }, never));
    const [, lane] = await openWithLane({
      ...surroundings,
      ledger,
    });
    await clock.drive(commit(surroundings, 1, {}, never));
    await clock.advance(LEASE_MS);
    expect(epochs(lane)).toEqual(["E0", "E1"]);
    await ledger[Symbol.asyncDispose]();
  });

  it("R8: closes a lane that is not current to the floor at its renewal", async () => {
    const surroundings = world();
    const [writer, lane] = await openWithLane({
      ...surroundings,
      prepareEpoch: () => new Promise<never>(() => undefined),
    });
    await clock.drive(commit(surroundings, 1, {}, never));
    await clock.drive(store.raiseFloor(MODEL, epoch(1), never));
    await clock.advance(LEASE_MS / 3.5);
    expect(lane.closed.reason).toBeInstanceOf(LaneEndedError);
    expect(writer.lost.aborted).toBe(false);
    await clock.advance(10);
    expect((await clock.drive(store.getLane(MODEL, lane.id, never)))?.state.end).toBe(1);
  });

  it("ends the lanes of a removed stream behind the marker", async () => {
    const surroundings = world();
    const [, lane] = await openWithLane(surroundings);
    await clock.drive(lane.append([message("a")], never));
    await clock.drive(commit(surroundings, 1, { bindings: [{ entity: STREAM, removed: true }] }, never));
    await clock.advance(50);
    expect(epochs(lane)).toEqual(["E0", 0, "E1"]);
    expect((await clock.drive(store.getLane(MODEL, lane.id, never)))?.state.end).toBe(3);
  });

  it("lets appends wait for room, in their order, and takes back one that is given up", async () => {
    const [, lane] = await openWithLane({ limits: { windowEntries: 2 } });
    const impatient = new AbortController();
    const first = lane.append([message("a"), message("b")], never);
    const second = lane.append([message("c")], impatient.signal);
    const third = lane.append([message("d")], never);
    expect(lane.hasRoom(1, 1)).toBe(false);
    impatient.abort(new Error("given up"));
    await expect(second).rejects.toThrow("given up");
    await clock.drive(Promise.all([first, third]));
    expect(lane.tail).toBe(4);
    expect(lane.hasRoom(1, 1)).toBe(true);
  });

  it("tells those who look for room no more often than there is some, and never leaves one untold", async () => {
    const [, lane] = await openWithLane({ limits: { windowEntries: 10, callEntries: 2 } });
    let looked = 0;
    const publish = async (at: number): Promise<void> => {
      for (; !lane.hasRoom(1, 100); looked += 1) await lane.roomFor(1, 100, never);
      // Every third changes its mind, and takes nothing of the room that it was told of.
      if (at % 3 > 0) await lane.append([message(String(at))], never);
    };
    await clock.drive(Promise.all(Array.from({ length: 300 }, (_, at) => publish(at))));
    expect(lane.tail).toBe(201);
    expect(looked).toBeLessThan(600);
  });

  it("ends its lanes and gives its lease back when it is disposed", async () => {
    const [writer, lane] = await openWithLane();
    const appended = lane.append([message("a")], never);
    await clock.drive(writer[Symbol.asyncDispose]());
    expect(await appended).toEqual([{ seq: 2, epoch: 0 }]);
    expect((await clock.drive(store.getLane(MODEL, lane.id, never)))?.state.end).toBe(seq(2));
    expect((await clock.drive(store.readLease(MODEL, writer.id, never)))?.state).toBe("closed");
    await expect(lane.append([message("b")], never)).rejects.toThrow(LaneEndedError);
    await expect(writer.openLane({ stream: STREAM }, never)).rejects.toThrow(LaneLostError);
  });

  it("leaves its lanes to be sealed when its owner stops at once", async () => {
    const owner = new AbortController();
    const all = { ...world(), name: "test", leaseMs: LEASE_MS };
    const writer = await clock.drive(openLaneWriter(all, owner.signal));
    writers.push(writer);
    const lane = await clock.drive(writer.openLane({ stream: STREAM }, never));
    owner.abort(new Error("killed"));
    expect(writer.lost.reason).toBeInstanceOf(LaneLostError);
    expect((await clock.drive(store.getLane(MODEL, lane.id, never)))?.state.end).toBeUndefined();
  });

  it("gives a derived lane the epoch and the markers that its owner says", async () => {
    const surroundings = world();
    const derived = { query: "query/q@1" as EntityIdentity, inputLane: "in" as OpenLane["id"] };
    const [writer, source] = await openWithLane(surroundings);
    const request = { stream: STREAM, openAt: epoch(3), derived, predecessor: source.id };
    const lane = await clock.drive(writer.openLane(request, never));
    await clock.drive(commit(surroundings, 1, {}, never));
    await clock.advance(10);
    expect(epochs(lane)).toEqual(["E3"]);
    expect(lane.info).toMatchObject({ derived, predecessor: source.id });
  });
});
