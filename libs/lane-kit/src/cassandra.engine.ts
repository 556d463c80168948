// The kit's essentials on Cassandra with a real clock: a writer that dies in the middle of its appends, readers, sealers,
// and a writer that goes on.
import { openCassandraLaneStore } from "@greco/adapter-cassandra";
import { realClock, testKeyspace } from "@greco/adapter-cassandra/testing";
import type { Entry } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import { afterAll, beforeAll, expect, it } from "vitest";
import { servers } from "../../../tools/servers/for-tests.ts";
import { readLane } from "./lane-reader.ts";
import { openLaneWriter } from "./lane-writer.ts";
import { sealLapsedWriters } from "./seal.ts";
import { commit, directWake, MODEL, silentLog, STREAM, type World } from "./testing/world.ts";
import type { LaneWriter, OpenLane } from "./writer.ts";

/** A busy machine must not make a writer lose it; a seal takes four. */
const LEASE_MS = 4_000;
const MESSAGES = 300;

const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
let world: World & { readonly leaseMs: number };
let next = 0;
const ids = { next: () => `id-${++next}`, random: () => 0.5 };

beforeAll(async () => {
  const cluster = stack.use(await servers.cassandra({}, never));
  const keyspace = stack.use(await testKeyspace(cluster.addresses, 1));
  const laneStore = stack.use(await openCassandraLaneStore(keyspace, never));
  const clock = realClock;
  world = { laneStore, wake: directWake(), clock, ids, log: silentLog, model: MODEL, leaseMs: LEASE_MS };
});
afterAll(() => stack.disposeAsync());

type Acknowledged = Map<number, string>;

const told = (entry: Entry): string =>
  entry.kind === "data" ? `${entry.epoch} ${entry.key}` : `${entry.epoch} marker`;

/** Publishes until the lane is closed; what was acknowledged is kept. */
async function publish(lane: OpenLane, acknowledged: Acknowledged, enough: () => boolean): Promise<void> {
  for (let message = 0; !enough(); message += 1) {
    const key = `m${message}`;
    const [appended] = await lane.append([{ key, payload: new Uint8Array() }], never).catch(() => []);
    if (appended === undefined) return;
    acknowledged.set(appended.seq, `${appended.epoch} ${key}`);
  }
}

async function readAll(lane: OpenLane["id"], stop: AbortSignal): Promise<readonly Entry[]> {
  const taken: Entry[] = [];
  for await (const batch of readLane({ ...world, lane, from: seq(1) }, stop))
    if (batch.type === "entries") taken.push(...batch.entries);
  return taken;
}

it("I7, I8, R1, R2, R4: a writer that dies is sealed; all readers see the same, and all that was acknowledged", async () => {
  await commit(world, 1, {}, never);
  const dying = new AbortController();
  const stop = new AbortController();
  const dead: LaneWriter = await openLaneWriter({ ...world, name: "dies" }, dying.signal);
  const lanes = [
    await dead.openLane({ stream: STREAM }, never),
    await dead.openLane({ stream: STREAM }, never),
  ];
  const acknowledged: Acknowledged[] = [new Map(), new Map()];
  const publishing = lanes.map((lane, at) => publish(lane, acknowledged[at] as Acknowledged, () => false));
  const reading = lanes.map((lane) => [readAll(lane.id, never), readAll(lane.id, never)]);
  const sealing = [sealLapsedWriters(world, stop.signal), sealLapsedWriters(world, stop.signal)];
  for (const epoch of [2, 3]) {
    const before = acknowledged[0]?.size ?? 0;
    await expect.poll(() => acknowledged[0]?.size, { timeout: 30_000 }).toBeGreaterThan(before + MESSAGES);
    await commit(world, epoch, {}, never);
  }
  dying.abort(new Error("killed"));
  await Promise.all(publishing);

  await using goesOn = await openLaneWriter({ ...world, name: "goes-on" }, never);
  const lane = await goesOn.openLane({ stream: STREAM }, never);
  const after: Acknowledged = new Map();
  await publish(lane, after, () => after.size >= MESSAGES);
  expect(after.size).toBe(MESSAGES);

  for (const [at, readers] of reading.entries()) {
    const [first = [], second = []] = await Promise.all(readers);
    expect(second).toEqual(first);
    expect(first.map((entry) => entry.seq)).toEqual(first.map((_, index) => index + 1));
    const found = new Map<number, string>(first.map((entry) => [entry.seq, told(entry)]));
    for (const [position, content] of acknowledged[at] ?? []) expect(found.get(position)).toBe(content);
    const epochs = first.filter((entry) => entry.kind === "marker").map((entry) => entry.epoch);
    expect(epochs.slice(0, 2)).toEqual([1, 2]);
    const state = (await world.laneStore.getLane(MODEL, lanes[at]?.id as OpenLane["id"], never))?.state;
    expect(state?.end).toBe(first.length);
  }
  stop.abort(new Error("enough"));
  await Promise.all(sealing);
  expect((await world.laneStore.readLease(MODEL, dead.id, never))?.state).toBe("closed");
});
