// Rows that expire: what housekeeping has not trimmed in time must not look like a gap that will be filled (R3), and a
// lane that was idle for longer than its rows live must be found where it stood.
import type { LaneId, Seq } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import { BelowRetentionError, type LaneStore } from "@greco/ports";
import type { Client } from "cassandra-driver";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { openCassandraLaneStore } from "./lane-store.ts";
import { dataEntry, laneInfoOf } from "./testing/entries.ts";
import { type Keyspace, rawClient, realClock, testKeyspace } from "./testing/setup.ts";

const never = new AbortController().signal;
const model = "flights" as ModelId;
const DAY_MS = 86_400_000;
/** Twice the retention and a week, and then some. */
const EXPIRED_MS = 2 * DAY_MS + 8 * 7 * DAY_MS;
const limits = { bucketRows: 8, appendRows: 8 };

const stack = new AsyncDisposableStack();
let keyspace: Keyspace;
let store: LaneStore;
let raw: Client;
let lanes = 0;
let lane: LaneId;

beforeAll(async () => {
  const cluster = stack.use(await servers.cassandra({}, never));
  keyspace = stack.use(await testKeyspace(cluster.addresses, 1));
  raw = rawClient(keyspace);
  stack.defer(() => raw.shutdown());
  store = stack.use(await openCassandraLaneStore({ ...keyspace, limits }, never));
});
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  lane = `lane-${++lanes}` as LaneId;
  const registeredAtMs = realClock.nowMs() - EXPIRED_MS;
  await store.registerLane(laneInfoOf(model, lane, { retentionMs: DAY_MS, registeredAtMs }), never);
});

const at = (seq: number): Seq => seq as Seq;
const append = async (from: number, to: number): Promise<void> => {
  for (let seq = from; seq <= to; seq++)
    await store.append(model, [{ lane, entries: [dataEntry(seq)] }], never);
};
const seqs = async (from: number): Promise<number[]> =>
  (await store.read(model, lane, at(from), 100, never)).entries.map((entry) => entry.seq);

/** Rows gone as if their time had come: a test cannot wait for it. */
async function expire(from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++)
    await raw.execute(
      "DELETE FROM message WHERE model = ? AND lane = ? AND bucket = ? AND seq = ?",
      [model, lane, Math.floor(seq / limits.bucketRows), seq],
      { prepare: true },
    );
}

it("gives rows of a lane with retention a time to live, and others none", async () => {
  await append(1, 1);
  const kept = laneInfoOf(model, `${lane}-kept` as LaneId);
  await store.registerLane(kept, never);
  await store.append(model, [{ lane: kept.id, entries: [dataEntry(1)] }], never);
  const ttlIn = async (table: string, id: string): Promise<number | null> => {
    const { rows } = await raw.execute(
      `SELECT ttl(entry) FROM ${table} WHERE model = ? AND lane = ? AND bucket = 0`,
      [model, id],
      { prepare: true },
    );
    return rows[0]?.get(0) as number | null;
  };
  const days = ((await ttlIn("message", lane)) ?? 0) / 86_400;
  expect(days).toBeGreaterThan(8.9);
  expect(days).toBeLessThanOrEqual(9);
  expect(await ttlIn("message_kept", kept.id)).toBeNull();
});

it("R3: says that expired rows are gone, and from where there is something, instead of waiting for them", async () => {
  await append(1, 30);
  await expire(1, 20);
  const error = await store.read(model, lane, at(5), 10, never).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(BelowRetentionError);
  expect((error as BelowRetentionError).firstRetained).toBe(21);
  expect(await seqs(21)).toEqual(Array.from({ length: 10 }, (_, index) => 21 + index));
  // What is not there yet is waited for.
  expect(await seqs(31)).toEqual([]);
  expect(await store.tail(model, lane, never)).toBe(30);
});

it("knows where an idle lane stands when all its rows have expired, and goes on behind it", async () => {
  await append(1, 20);
  // As housekeeping does: of a live lane the last entry stays.
  expect(await store.trim(model, lane, at(20), never)).toBe(19);
  await expire(1, 20);
  expect(await store.tail(model, lane, never)).toBe(20);
  const [newest] = await store.readBackwards(model, lane, at(20), 1, never);
  expect(newest).toEqual(dataEntry(20));
  expect(await seqs(20)).toEqual([20]);
  await append(21, 22);
  expect([await seqs(20), await seqs(21)]).toEqual([
    [20, 21, 22],
    [21, 22],
  ]);
  expect(await store.tail(model, lane, never)).toBe(22);
});
