// Three nodes, of which one is killed: LOCAL_QUORUM and LOCAL_SERIAL go on (I9), and nothing acknowledged is lost (I8).
import type { LaneId, Seq } from "@greco/domain/lane";
import type { ConductorId, ModelId } from "@greco/domain/model";
import { StoreUnavailableError, StoreUnknownError, type LaneStore } from "@greco/ports";
import { bindingStoreContract, laneStoreContract } from "@greco/ports/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { openCassandraBindingStore } from "./binding-store.ts";
import { openCassandraLaneStore } from "./lane-store.ts";
import { dataEntry, laneInfoOf } from "./testing/entries.ts";
import { cassandraSetup, type Keyspace, testKeyspace } from "./testing/setup.ts";

const signal = new AbortController().signal;
const model = "flights" as ModelId;
const stack = new AsyncDisposableStack();
let cluster: Cluster;
let keyspace: Keyspace;

beforeAll(async () => {
  cluster = stack.use(await servers.cassandra({ nodes: 3, own: true }, signal));
  keyspace = stack.use(await testKeyspace(cluster.addresses, 3));
  await using _migrated = await openCassandraLaneStore(keyspace, signal);
});
afterAll(() => stack.disposeAsync());

const passing = (error: unknown): boolean =>
  error instanceof StoreUnavailableError || error instanceof StoreUnknownError;

/** Repeats an idempotent call for as long as the store's trouble is a passing one, as its callers do. */
async function persistently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!passing(error)) throw error;
    }
  }
}

/** Appends one by one until it is told to stop; returns the last seq that was acknowledged. */
async function write(store: LaneStore, lane: LaneId, until: AbortSignal): Promise<number> {
  let last = 0;
  while (!until.aborted) {
    const entries = [dataEntry(last + 1), dataEntry(last + 2)];
    await persistently(() => store.append(model, [{ lane, entries }], signal));
    last += 2;
  }
  return last;
}

describe("while one node of three is killed and comes back", () => {
  it("I8, I9: appends, leases and journals go on, and all that was acknowledged is there", async () => {
    const options = { ...keyspace, space: "killed" };
    await using store = await openCassandraLaneStore(options, signal);
    await using bindings = await openCassandraBindingStore(options, signal);
    const lanes = ["a", "b", "c"] as LaneId[];
    for (const id of lanes) await store.registerLane(laneInfoOf(model, id), signal);
    const { writer } = laneInfoOf(model, "a" as LaneId);
    let { count } = await store.createLease(model, writer, signal);
    const conductor = "worker" as ConductorId;
    const { incarnation } = await bindings.takeConductor(model, conductor, signal);

    const enough = new AbortController();
    const writing = Promise.all(lanes.map((lane) => write(store, lane, enough.signal)));
    let sequence = 0;
    const renewing = (async () => {
      while (!enough.signal.aborted) {
        const renewed = await persistently(() => store.renewLease(model, writer, count, signal));
        // Refused: an earlier one, whose answer was lost, has landed after it was looked for.
        count =
          renewed?.count ?? (await persistently(() => store.readLease(model, writer, signal)))?.count ?? 0;
        const record = { sequence: ++sequence, json: JSON.stringify({ sequence }) };
        await persistently(() => bindings.appendJournal(model, conductor, incarnation, [record], signal));
      }
    })();
    const victim = cluster.nodes[1];
    await victim?.kill("SIGKILL");
    const before = sequence;
    await expect.poll(() => sequence, { timeout: 60_000 }).toBeGreaterThan(before + 20);
    await victim?.start(signal);
    await cluster.nodes[2]?.kill("SIGKILL");
    const between = sequence;
    await expect.poll(() => sequence, { timeout: 60_000 }).toBeGreaterThan(between + 20);
    enough.abort();
    const acknowledged = await writing;
    await renewing;

    await using reader = await openCassandraLaneStore(options, signal);
    for (const [index, lane] of lanes.entries()) {
      const last = acknowledged[index] ?? 0;
      expect(last).toBeGreaterThan(0);
      expect(await reader.tail(model, lane, signal)).toBe(last);
      for (let from = 1; from <= last;) {
        const { entries } = await reader.read(model, lane, from as Seq, 500, signal);
        expect(entries).toEqual(entries.map((_, at) => dataEntry(from + at)));
        expect(entries.length).toBeGreaterThan(0);
        from += entries.length;
      }
    }
    expect((await reader.readLease(model, writer, signal))?.count).toBe(count);
    const journal = await bindings.readJournal(model, conductor, 0, 100_000, signal);
    expect(journal.map((record) => record.sequence)).toEqual(
      Array.from({ length: sequence }, (_, index) => index + 1),
    );
  });
});

describe("with one node of three down", () => {
  // The test before has killed it, if it ran.
  beforeAll(async () => {
    if (cluster.nodes.every(({ pid }) => pid !== undefined)) await cluster.nodes[2]?.kill("SIGKILL");
  });

  laneStoreContract(
    "cassandra, two of three nodes,",
    cassandraSetup(() => keyspace, openCassandraLaneStore),
  );
  bindingStoreContract(
    "cassandra, two of three nodes,",
    cassandraSetup(() => keyspace, openCassandraBindingStore),
  );
});
