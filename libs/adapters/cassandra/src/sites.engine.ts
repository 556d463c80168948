// Two data centres, of which one is cut off (its node is down): each site goes on with what is its own (I9), and what
// belongs to the other is sealed, swapped and read strongly there or not at all (R2, R9).
import type { LaneId, WriterId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { LaneStore } from "@greco/ports";
import { StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { openCassandraLaneStore } from "./lane-store.ts";
import type { CassandraOptions } from "./options.ts";
import { dataEntry, laneInfoOf } from "./testing/entries.ts";
import { realClock, silentLog } from "./testing/setup.ts";

const never = new AbortController().signal;
const model = "flights" as ModelId;
const query = "query/q@1" as EntityIdentity;
const east = { lane: "lane-east" as LaneId, writer: "writer-east" as WriterId };
const west = { lane: "lane-west" as LaneId, writer: "writer-west" as WriterId };

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let atEast: LaneStore;
let atWest: LaneStore;

beforeAll(async () => {
  const dataCenters = [
    { name: "east", nodes: 1 },
    { name: "west", nodes: 1 },
  ];
  cluster = stack.use(await servers.cassandra({ own: true, dataCenters }, never));
  const common = {
    keyspace: "greco",
    replication: { east: 1, west: 1 },
    clock: realClock,
    log: silentLog,
  };
  const optionsAt = (index: number, localDataCenter: string): CassandraOptions => ({
    ...common,
    localDataCenter,
    contactPoints: [cluster.addresses[index] ?? ""],
  });
  atEast = stack.use(await openCassandraLaneStore(optionsAt(0, "east"), never));
  atWest = stack.use(await openCassandraLaneStore(optionsAt(1, "west"), never));
});
afterAll(() => stack.disposeAsync());

const WITHIN = { timeout: 60_000 };
const seqsAt = async (store: LaneStore, lane: LaneId): Promise<number[]> =>
  (await store.read(model, lane, 1 as never, 100, never)).entries.map((entry) => entry.seq);

async function fails(call: Promise<unknown>): Promise<void> {
  const error = await call.catch((reason: unknown) => reason);
  expect([StoreUnavailableError, StoreUnknownError].some((type) => error instanceof type)).toBe(true);
}

it("R2: a reader at another site takes what the lane's own can no longer lose, in order, and its end", async () => {
  await atEast.createLease(model, east.writer, never);
  await atEast.registerLane(laneInfoOf(model, east.lane, { writer: east.writer }), never);
  await atEast.append(model, [{ lane: east.lane, entries: [dataEntry(1), dataEntry(2)] }], never);
  await expect.poll(() => seqsAt(atWest, east.lane).catch(() => []), WITHIN).toEqual([1, 2]);
  // Behind a gap at its own site: it may yet be cut off there by a seal.
  await atEast.append(model, [{ lane: east.lane, entries: [dataEntry(4)] }], never);
  await atEast.append(model, [{ lane: east.lane, entries: [dataEntry(3)] }], never);
  await atEast.append(model, [{ lane: east.lane, entries: [dataEntry(5)] }], never);
  await expect.poll(() => seqsAt(atWest, east.lane), WITHIN).toEqual([1, 2, 3, 4, 5]);
});

it("R2: leases, ends and claims are one register, whichever site asks", async () => {
  await atWest.createLease(model, west.writer, never);
  await atWest.registerLane(laneInfoOf(model, west.lane, { writer: west.writer }), never);
  await expect.poll(async () => (await atEast.listLanes(model, {}, never)).length, WITHIN).toBe(2);
  // Neither waits for what the other did to come over.
  expect(await atEast.renewLease(model, west.writer, 1, never)).toMatchObject({ count: 2 });
  expect(await atWest.readLease(model, west.writer, never)).toMatchObject({ count: 2, state: "held" });
  expect(await atWest.renewLease(model, west.writer, 1, never)).toBeUndefined();
  const claims = await Promise.all(
    [atEast, atWest].map((store, index) => {
      const claim = {
        query,
        inputLane: west.lane,
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
  const ids = async (store: LaneStore): Promise<string[]> =>
    (await store.listLanes(model, { everySite: true }, never)).map(({ info }) => info.id);
  expect(await ids(atEast)).toEqual([east.lane, west.lane]);
  expect(await ids(atWest)).toEqual([east.lane, west.lane]);
});

it("I9: a site that is cut off from the other goes on with its own, and touches nothing of the other", async () => {
  await cluster.nodes[0]?.kill("SIGKILL");
  const { lane, writer } = west;
  await atWest.append(model, [{ lane, entries: [dataEntry(1), dataEntry(2)] }], never);
  expect(await seqsAt(atWest, lane)).toEqual([1, 2]);
  expect(await atWest.tail(model, lane, never)).toBe(2);
  expect(await atWest.renewLease(model, writer, 2, never)).toMatchObject({ count: 3 });
  expect((await atWest.listLanes(model, {}, never)).map(({ info }) => info.id)).toEqual([east.lane, lane]);
  expect(await seqsAt(atWest, east.lane)).toEqual([1, 2, 3, 4, 5]);
  // A seal from here would be another register than the writer's own.
  await fails(atWest.closeLease(model, east.writer, 1, never));
  await fails(atWest.endLane(model, east.lane, 5 as never, never));
  await fails(atWest.tail(model, east.lane, never));
  await fails(atWest.listLanes(model, { everySite: true }, never));
  await fails(atWest.raiseFloor(model, 5 as Epoch, never));
  await cluster.nodes[0]?.start(never);
  const lease = () => atEast.readLease(model, east.writer, never).catch(() => undefined);
  await expect.poll(lease, WITHIN).toMatchObject({ count: 1, state: "held" });
  await expect.poll(() => seqsAt(atEast, lane).catch(() => []), WITHIN).toEqual([1, 2]);
  await expect.poll(() => atWest.tail(model, east.lane, never).catch(() => 0), WITHIN).toBe(5);
});
