import { openEmbeddedLaneStore } from "@greco/adapter-embedded";
import type { Entry, LaneInfo } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
import { epoch, modelId } from "@greco/domain/model";
import type { Checkpoint, LaneRecord, LaneStore } from "@greco/ports";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LaneListing } from "./lane-listing.ts";
import type { Recovered } from "./recovery.ts";
import { recover, UnsealedError } from "./recovery.ts";
import { data, INPUT, marker, Q, S, T, U } from "./testing/model.ts";

const MODEL = modelId("m");
const signal = new AbortController().signal;
let laneStore: LaneStore;

beforeEach(async () => {
  laneStore = await openEmbeddedLaneStore({ path: ":memory:", clock: simulatedClock() });
});
afterEach(async () => laneStore[Symbol.asyncDispose]());

async function put(
  id: string,
  rows: readonly Entry[],
  info: Partial<LaneInfo> = {},
  end?: number,
): Promise<void> {
  const lane = laneId(id);
  const fixed = { model: MODEL, id: lane, stream: S, writer: writerId("w"), registeredAtMs: 0 };
  await laneStore.registerLane({ ...fixed, ...info }, signal);
  if (rows.length > 0) await laneStore.append(MODEL, [{ lane, entries: rows }], signal);
  if (end !== undefined) await laneStore.endLane(MODEL, lane, seq(end), signal);
}

const derived = (more: Partial<LaneInfo> = {}): Partial<LaneInfo> => ({
  stream: T,
  derived: { query: Q, inputLane: INPUT },
  ...more,
});
const from = (row: Entry, at: number): Entry => {
  const source = { query: Q, lane: INPUT, seq: seq(at), index: 0 };
  return { ...row, source };
};
const checkpoint = (
  inputSeq: number,
  outputs: Readonly<Record<string, number>>,
  writer = "w",
): Checkpoint => ({
  query: Q,
  inputLane: INPUT,
  inputSeq: seq(inputSeq),
  inputEpoch: epoch(1),
  outputs: Object.entries(outputs).map(([lane, at]) => ({ lane: laneId(lane), seq: seq(at) })),
  writer: writerId(writer),
});
const input = [marker(1, 1), data(2, 1), data(3, 1), marker(4, 2), data(5, 2), data(6, 2)];

async function found(since = 1): Promise<Recovered> {
  const record = (await laneStore.getLane(MODEL, INPUT, signal)) as LaneRecord;
  const listing = new LaneListing(laneStore, MODEL, signal);
  return recover({ laneStore, model: MODEL, listing }, Q, record, epoch(since), signal);
}

it("I8: goes on behind the furthest input that any of the unit's rows names", async () => {
  await put(INPUT, input);
  await put("t1", [from(marker(1, 1), 1), from(data(2, 1), 2)], derived(), 2);
  await put(
    "t2",
    [from(marker(1, 1), 2), from(data(2, 1), 3), marker(3, 3)],
    derived({ predecessor: laneId("t1") }),
    3,
  );
  const { start, tips } = await found();
  expect(start).toEqual({ seq: 3, epoch: 1 });
  expect(tips.get(T)).toEqual({ lane: "t2", epoch: 3 });
});

it("I8: finds the unit's lanes in whatever stream, by what they say of themselves", async () => {
  await put(INPUT, input);
  await put("t1", [from(marker(1, 1), 1), from(data(2, 1), 2)], derived(), 2);
  await put("u1", [from(marker(1, 2), 4), from(data(2, 2), 5)], derived({ stream: U }), 2);
  await laneStore.putCheckpoint(MODEL, checkpoint(6, { t1: 2, u1: 2 }), signal);
  const { start, tips } = await found();
  expect(start.seq).toBe(6);
  expect([...tips]).toEqual([
    [T, { lane: "t1", epoch: 1 }],
    [U, { lane: "u1", epoch: 2 }],
  ]);
});

it("counts only rows up to the end: what came too late for the seal has no effect", async () => {
  await put(INPUT, input);
  await put("t1", [from(marker(1, 1), 1), from(data(2, 1), 2), from(data(3, 1), 3)], derived(), 2);
  expect((await found()).start.seq).toBe(2);
});

it("I8: takes a checkpoint over inputs without output, but not one of rows beyond the seal", async () => {
  await put(INPUT, input);
  await put("t1", [from(marker(1, 1), 1), from(data(2, 1), 2)], derived(), 2);
  await laneStore.putCheckpoint(MODEL, checkpoint(3, { t1: 2 }), signal);
  expect((await found()).start.seq).toBe(3);
  await laneStore.putCheckpoint(MODEL, checkpoint(6, { t1: 3 }, "zombie"), signal);
  expect((await found()).start.seq).toBe(3);
});

it("refuses to look while a lane of the unit has no end", async () => {
  await put(INPUT, input);
  await put("t1", [from(marker(1, 1), 1)], derived());
  await expect(found()).rejects.toThrow(UnsealedError);
});

it("begins a new query before the first row of its first epoch, or at the tail where there is none yet", async () => {
  await put(INPUT, input);
  expect((await found(1)).start).toEqual({ seq: 0, epoch: 0 });
  expect((await found(2)).start).toEqual({ seq: 3, epoch: 1 });
  expect((await found(3)).start).toEqual({ seq: 6, epoch: 2 });
});

it("goes on at the end of a chain that a late registration has forked", async () => {
  await put(INPUT, input);
  await put("t1", [from(marker(1, 1), 1), from(data(2, 1), 2)], derived(), 2);
  await put("t2", [], derived({ predecessor: laneId("t1") }), 0);
  await put("t3", [from(marker(1, 1), 2), from(marker(2, 2), 4)], derived({ predecessor: laneId("t1") }), 2);
  const { start, tips } = await found();
  expect(start).toEqual({ seq: 4, epoch: 2 });
  expect(tips.get(T)).toEqual({ lane: "t3", epoch: 2 });
});

it("continues the lanes of the same query on the lanes that its input continues, all of their group", async () => {
  const group = { id: "g", size: 2 };
  await put("old0", [marker(1, 1)], { group: { ...group, index: 0 } }, 1);
  await put("old1", [marker(1, 1)], { group: { ...group, index: 1 } }, 1);
  const of = (lane: string): Partial<LaneInfo> => ({
    stream: T,
    derived: { query: Q, inputLane: laneId(lane) },
  });
  await put("t0", [marker(1, 1)], of("old0"), 1);
  await put("t1", [marker(1, 1), marker(2, 5)], of("old1"), 2);
  await put(INPUT, input, { predecessor: laneId("old0") });
  expect((await found()).tips.get(T)).toEqual({ lane: "t0", epoch: 5 });
});
