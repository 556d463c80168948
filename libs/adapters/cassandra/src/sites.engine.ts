// Two data centres, of which one is cut off (its node is down): each site goes on with what is its own (I9), and what
// belongs to the other is sealed, swapped and read strongly there or not at all (R2, R9).
import type { Entry, LaneId, WriterId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { LaneStore } from "@greco/ports";
import { LaneUnknownError, StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { types } from "cassandra-driver";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { encodeEntry } from "./entry-codec.ts";
import { openCassandraLaneStore } from "./lane-store.ts";
import type { CassandraOptions } from "./options.ts";
import { dataEntry, laneInfoOf } from "./testing/entries.ts";
import { rawClient, realClock, silentLog } from "./testing/setup.ts";

const never = new AbortController().signal;
const model = "flights" as ModelId;
const query = "query/q@1" as EntityIdentity;
const stack = new AsyncDisposableStack();
let cluster: Cluster;
let atEast: LaneStore;
let atWest: LaneStore;

const optionsAt = (index: number, localDataCenter: string): CassandraOptions => ({
  keyspace: "greco",
  replication: { east: 1, west: 1 },
  clock: realClock,
  log: silentLog,
  localDataCenter,
  contactPoints: [cluster.addresses[index] ?? ""],
});

beforeAll(async () => {
  const dataCenters = [
    { name: "east", nodes: 1 },
    { name: "west", nodes: 1 },
  ];
  cluster = stack.use(await servers.cassandra({ own: true, dataCenters }, never));
  atEast = stack.use(await openCassandraLaneStore(optionsAt(0, "east"), never));
  atWest = stack.use(await openCassandraLaneStore(optionsAt(1, "west"), never));
});
afterAll(() => stack.disposeAsync());

/** It is not registered here yet. */
const notYet = (error: unknown): { readonly entries: readonly Entry[] } => {
  if (error instanceof LaneUnknownError) return { entries: [] };
  throw error;
};
const WITHIN = { timeout: 60_000 };
const seqsAt = async (store: LaneStore, lane: LaneId): Promise<number[]> =>
  (await store.read(model, lane, 1 as never, 100, never).catch(notYet)).entries.map((entry) => entry.seq);

async function fails(call: Promise<unknown>): Promise<void> {
  const error = await call.catch((reason: unknown) => reason);
  expect([StoreUnavailableError, StoreUnknownError].some((type) => error instanceof type)).toBe(true);
}

/** A writer with a lease and a lane of two rows, at the site of `store`; the other site has heard of it. */
async function begun(store: LaneStore, name: string): Promise<{ writer: WriterId; lane: LaneId }> {
  const writer = `writer-${name}` as WriterId;
  const lane = `lane-${name}` as LaneId;
  await store.createLease(model, writer, never);
  await store.registerLane(laneInfoOf(model, lane, { writer }), never);
  await store.append(model, [{ lane, entries: [dataEntry(1), dataEntry(2)] }], never);
  for (const each of [atEast, atWest]) await expect.poll(() => seqsAt(each, lane), WITHIN).toEqual([1, 2]);
  return { writer, lane };
}

it("R2: a reader at another site takes what the lane's own can no longer lose, in order", async () => {
  const { lane } = await begun(atEast, "read-elsewhere");
  await atEast.append(model, [{ lane, entries: [dataEntry(4)] }], never);
  await atEast.append(model, [{ lane, entries: [dataEntry(3)] }], never);
  await atEast.append(model, [{ lane, entries: [dataEntry(5)] }], never);
  await expect.poll(() => seqsAt(atWest, lane), WITHIN).toEqual([1, 2, 3, 4, 5]);
  // A row that came here, and that its own site may not have: a seal there may leave it out.
  const raw = rawClient(optionsAt(1, "west"));
  await raw.execute(
    "INSERT INTO message_kept (model, lane, bucket, seq, epoch, entry) VALUES (?, ?, 0, 6, 1, ?)",
    [model, lane, encodeEntry(dataEntry(6))],
    { prepare: true, consistency: types.consistencies.localQuorum },
  );
  await raw.shutdown();
  expect(await seqsAt(atWest, lane)).toEqual([1, 2, 3, 4, 5]);
  await expect.poll(() => seqsAt(atEast, lane), WITHIN).toEqual([1, 2, 3, 4, 5, 6]);
});

it("R2: leases and claims are one register, whichever site asks", async () => {
  const { lane, writer } = await begun(atWest, "swapped-elsewhere");
  // Neither waits for what the other did to come over.
  expect(await atEast.renewLease(model, writer, 1, never)).toMatchObject({ count: 2 });
  expect(await atWest.readLease(model, writer, never)).toMatchObject({ count: 2, state: "held" });
  expect(await atWest.renewLease(model, writer, 1, never)).toBeUndefined();
  const claims = await Promise.all(
    [atEast, atWest].map((store, index) => {
      const claim = {
        query,
        inputLane: lane,
        writer: `w${index}` as WriterId,
        runtime: `r${index}`,
        generation: 1,
        done: false,
      };
      return store.claim(model, claim, 0, never);
    }),
  );
  expect(claims.filter(({ won }) => won)).toHaveLength(1);
});

it("R9: the floor and the lists that retire looks at are of every site", async () => {
  await atEast.raiseFloor(model, 4 as Epoch, never);
  expect(await atWest.readFloor(model, never)).toBe(4);
  const lanes = [(await begun(atEast, "listed-east")).lane, (await begun(atWest, "listed-west")).lane];
  for (const store of [atEast, atWest]) {
    const listed = await store.listLanes(model, { everySite: true }, never);
    expect(listed.map(({ info }) => info.id)).toEqual(expect.arrayContaining(lanes));
  }
});

it("I9: a site that is cut off from the other goes on with its own, and touches nothing of the other", async () => {
  const east = await begun(atEast, "cut-off");
  const west = await begun(atWest, "goes-on");
  await cluster.nodes[0]?.kill("SIGKILL");
  const { lane, writer } = west;
  await atWest.append(model, [{ lane, entries: [dataEntry(3)] }], never);
  expect(await seqsAt(atWest, lane)).toEqual([1, 2, 3]);
  expect(await atWest.tail(model, lane, never)).toBe(3);
  expect(await atWest.renewLease(model, writer, 1, never)).toMatchObject({ count: 2 });
  const listed = (await atWest.listLanes(model, {}, never)).map(({ info }) => info.id);
  expect(listed).toEqual(expect.arrayContaining([east.lane, lane]));
  expect(await seqsAt(atWest, east.lane)).toEqual([1, 2]);
  // A seal from here would be another register than the writer's own.
  await fails(atWest.closeLease(model, east.writer, 1, never));
  await fails(atWest.endLane(model, east.lane, 2 as never, never));
  await fails(atWest.tail(model, east.lane, never));
  await fails(atWest.listLanes(model, { everySite: true }, never));
  await fails(atWest.raiseFloor(model, 5 as Epoch, never));
  await cluster.nodes[0]?.start(never);
  const lease = () => atEast.readLease(model, east.writer, never).catch(() => undefined);
  await expect.poll(lease, WITHIN).toMatchObject({ count: 1, state: "held" });
  await expect.poll(() => seqsAt(atEast, lane).catch(() => []), WITHIN).toEqual([1, 2, 3]);
  await expect.poll(() => atWest.tail(model, east.lane, never).catch(() => 0), WITHIN).toBe(2);
});
