// The fault wrappers of @greco/simulation, on real stores: each fault happens as it says, the same for the same seed.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataEntry, LaneId, Seq, WriterId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import { type CpStore, StoreUnavailableError, StoreUnknownError, type Transaction } from "@greco/ports";
import {
  type ControlLogFaults,
  faultyControlLog,
  faultyCpStore,
  faultyLaneStore,
  seededRandom,
  simulatedClock,
} from "@greco/simulation";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openEmbeddedControlLog } from "./control-log.ts";
import { openEmbeddedCpStore } from "./cp-store.ts";
import { openEmbeddedLaneStore } from "./lane-store.ts";

const signal = new AbortController().signal;
const model = "m" as ModelId;
const lane = "l" as LaneId;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "greco-simulation-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (key: string): Transaction => ({ compare: [], then: [{ type: "put", key, value: bytes("x") }] });
const entry = (seq: number): DataEntry => ({
  kind: "data",
  seq: seq as Seq,
  epoch: 1 as Epoch,
  appendedAtMs: 0,
  key: "",
  payload: bytes(`${seq}`),
});

async function keys(store: CpStore): Promise<string[]> {
  return (await store.range({ prefix: "" }, {}, signal)).entries.map((each) => each.key);
}

it("refuses calls with nothing done, all of them while the line is cut", async () => {
  const clock = simulatedClock();
  await using store = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
  const faulty = faultyCpStore(store, seededRandom(1), { clock, unavailable: 1 });
  await expect(faulty.transact(put("a"), signal)).rejects.toBeInstanceOf(StoreUnavailableError);
  await expect(faulty.range({ key: "a" }, {}, signal)).rejects.toBeInstanceOf(StoreUnavailableError);
  faulty.setFaults({});
  faulty.setCut(true);
  await expect(faulty.transact(put("a"), signal)).rejects.toBeInstanceOf(StoreUnavailableError);
  faulty.setCut(false);
  await faulty.transact(put("b"), signal);
  expect(await keys(store)).toEqual(["b"]);
});

it("loses an answer after the effect, or the request before it; reads are never unknown", async () => {
  const clock = simulatedClock();
  await using store = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
  const faulty = faultyCpStore(store, seededRandom(1), { clock, lostAnswer: 1 });
  await expect(faulty.transact(put("done"), signal)).rejects.toBeInstanceOf(StoreUnknownError);
  expect(await keys(faulty)).toEqual(["done"]);
  faulty.setFaults({ lostRequest: 1 });
  await expect(faulty.transact(put("never"), signal)).rejects.toBeInstanceOf(StoreUnknownError);
  await faulty.settled();
  expect(await keys(faulty)).toEqual(["done"]);
});

it("lets a write take effect after its caller was told that nobody knows", async () => {
  const clock = simulatedClock();
  await using store = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
  const faulty = faultyCpStore(store, seededRandom(3), { clock, lateEffect: 1, delayMs: 60_000 });
  await expect(clock.drive(faulty.transact(put("late"), signal))).rejects.toBeInstanceOf(StoreUnknownError);
  expect(await keys(store)).toEqual([]);
  await clock.drive(faulty.settled());
  expect(await keys(store)).toEqual(["late"]);
});

it("breaks a watch off, which goes on from its last revision and misses nothing", async () => {
  const clock = simulatedClock();
  await using store = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
  const faulty = faultyCpStore(store, seededRandom(1), { clock, unavailable: 0.4 });
  const seen: string[] = [];
  let written = 0;
  let breaks = 0;
  for (let revision = 1; seen.length < 30;) {
    await store.transact(put(`k${written++}`), signal);
    try {
      for await (const batch of faulty.watch({ prefix: "" }, revision, signal)) {
        seen.push(...batch.events.map((event) => (event.type === "put" ? event.entry.key : event.key)));
        revision = batch.revision;
        await store.transact(put(`k${written++}`), signal);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailableError);
      breaks++;
    }
  }
  expect(breaks).toBeGreaterThan(3);
  expect(seen).toEqual(seen.map((_, index) => `k${index}`));
});

it("R1: repeats, delays and loses appends, and a writer who sends the same again comes through", async () => {
  const clock = simulatedClock();
  await using store = await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock });
  const faults = { clock, unavailable: 0.1, lostAnswer: 0.2, lostRequest: 0.1, lateEffect: 0.2, repeat: 0.3 };
  const faulty = faultyLaneStore(store, seededRandom(11), { ...faults, delayMs: 50 });
  const stream = "stream/s@1" as EntityIdentity;
  const info = { model, id: lane, stream, writer: "w" as WriterId, registeredAtMs: 0 };
  await store.registerLane(info, signal);
  const send = async (seq: number): Promise<void> => {
    for (;;) {
      try {
        return await faulty.append(model, [{ lane, entries: [entry(seq)] }], signal);
      } catch (error) {
        if (!(error instanceof StoreUnknownError || error instanceof StoreUnavailableError)) throw error;
      }
    }
  };
  await clock.drive(Promise.all(Array.from({ length: 60 }, (_, index) => send(index + 1))));
  await clock.drive(faulty.settled());
  const { entries } = await store.read(model, lane, 1 as Seq, 100, signal);
  expect(entries).toEqual(Array.from({ length: 60 }, (_, index) => entry(index + 1)));
});

it("lets calls that are made at once overtake each other", async () => {
  const clock = simulatedClock();
  await using store = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
  const faulty = faultyCpStore(store, seededRandom(2), { clock, delayMs: 1_000 });
  const writing = Array.from({ length: 8 }, (_, index) => faulty.transact(put(`k${index}`), signal));
  const results = await clock.drive(Promise.all(writing));
  const revisions = results.map((result) => result.revision);
  expect(revisions).not.toEqual(revisions.toSorted((a, b) => a - b));
});

async function delivered(seed: number, faults: ControlLogFaults): Promise<string[]> {
  const clock = simulatedClock();
  await using log = await openEmbeddedControlLog({ path: join(folder, `log-${Math.random()}.db`), clock });
  for (let number = 0; number < 40; number++) await log.publish("m", `${number}`, bytes(`${number}`), signal);
  const faulty = faultyControlLog(log, seededRandom(seed), { clock, ...faults });
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { payload } of faulty.subscribe("m", 0, stop.signal))
      seen.push(new TextDecoder().decode(payload));
  })();
  const quiet = async (): Promise<void> => {
    for (let before = -1; before !== seen.length;) {
      before = seen.length;
      await clock.advance(2_000);
    }
  };
  await quiet();
  stop.abort(new Error("enough"));
  await expect(reading).rejects.toThrow("enough");
  expect(clock.sleeping).toBe(0);
  return seen;
}

it("loses, repeats and reorders what the control log delivers, the same way for the same seed", async () => {
  const inOrder = Array.from({ length: 40 }, (_, index) => `${index}`);
  expect(await delivered(1, {})).toEqual(inOrder);
  const lost = await delivered(1, { lose: 0.3 });
  expect(lost.length).toBeLessThan(40);
  const twice = await delivered(1, { again: 0.3 });
  expect([new Set(twice).size, twice.length > 40]).toEqual([40, true]);
  const reordered = await delivered(1, { reorder: 0.3 });
  expect(reordered).not.toEqual(inOrder);
  expect(reordered.toSorted()).toEqual(inOrder.toSorted());
  const all = { lose: 0.2, again: 0.2, reorder: 0.4 };
  expect(await delivered(5, all)).toEqual(await delivered(5, all));
});

it("lets a subscriber leave while a message is held back", async () => {
  const clock = simulatedClock();
  await using log = await openEmbeddedControlLog({ path: join(folder, "log.db"), clock });
  for (const id of ["1", "2", "3"]) await log.publish("m", id, bytes(id), signal);
  const faulty = faultyControlLog(log, seededRandom(1), { clock, again: 1 });
  for await (const message of faulty.subscribe("m", 0, signal)) {
    expect(message.position).toBe(1);
    break;
  }
  expect(clock.sleeping).toBe(0);
});
