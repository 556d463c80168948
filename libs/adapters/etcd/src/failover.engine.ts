// Nodes that die, stop and come back under load, with the limits that an app has.
import { type CpStore, StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Cluster, type ServerNode } from "../../../../tools/servers/engine.ts";
import { etcdLeader } from "../../../../tools/servers/etcd.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { until } from "../../../../tools/servers/until.ts";
import { type EtcdOptions, openEtcdCpStore } from "./cp-store.ts";
import { ETCD_LIMITS } from "./limits.ts";
import { etcdOptions } from "./testing/setup.ts";

const { signal } = new AbortController();
const WRITERS = 6;
/** Increments that must be seen between two faults. */
const BETWEEN = 40;

let cluster: Cluster;
let options: EtcdOptions;
beforeEach(async () => {
  cluster = await servers.etcd({ nodes: 3, own: true }, signal);
  options = etcdOptions(cluster.addresses, { limits: ETCD_LIMITS });
});
afterEach(() => cluster[Symbol.asyncDispose]());

const textOf = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);
const bytesOf = (value: number): Uint8Array => new TextEncoder().encode(String(value));

async function leaderOf(): Promise<ServerNode> {
  let leader: ServerNode | undefined;
  await until(async () => (leader = await etcdLeader(cluster, signal).catch(() => undefined)) !== undefined, {
    what: "a leader",
    withinMs: 60_000,
    signal,
  });
  if (leader === undefined) throw new Error("there is no leader");
  return leader;
}

/** Adds one to the count, once: as a caller of the port does it whose write may have an unknown outcome. */
async function increment(store: CpStore, writer: number, turn: number): Promise<void> {
  const mine = `done/${writer}`;
  for (;;) {
    try {
      const get = (key: string) => ({ type: "get", range: { key } }) as const;
      const read = await store.transact({ compare: [], then: [get("count"), get(mine)] }, signal);
      const [count, done] = read.responses.map((entries) => entries[0]);
      // A write of ours whose outcome was unknown has been done.
      if (textOf(done?.value) === String(turn)) return;
      const compare = [
        { key: "count", target: "modRevision", is: "=", value: count?.modRevision ?? 0 },
      ] as const;
      const then = [
        { type: "put", key: "count", value: bytesOf(Number(textOf(count?.value)) + 1) },
        { type: "put", key: mine, value: bytesOf(turn) },
      ] as const;
      if ((await store.transact({ compare, then }, signal)).succeeded) return;
    } catch (error) {
      if (!(error instanceof StoreUnknownError || error instanceof StoreUnavailableError)) throw error;
    }
  }
}

it("I2: counts every increment once, and watches see each, while nodes are killed, stopped and brought back", async () => {
  await using store = await openEtcdCpStore(options, signal);
  const stop = new AbortController();
  let seen = 0;
  const values: number[] = [];
  const { revision: start } = await store.range({ key: "count" }, {}, signal);
  const watching = (async () => {
    for await (const { events } of store.watch({ key: "count" }, start, stop.signal))
      for (const event of events) {
        if (event.type === "put") values.push(Number(textOf(event.entry.value)));
        seen = values.at(-1) ?? 0;
      }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  let ending = false;
  const writing = Array.from({ length: WRITERS }, async (_, writer) => {
    await using own = await openEtcdCpStore(options, signal);
    let turns = 0;
    while (!ending) await increment(own, writer, ++turns);
    return turns;
  });
  const goOn = (): Promise<void> => {
    const from = seen;
    return until(() => seen >= from + BETWEEN, { what: "writers to go on", withinMs: 120_000, signal });
  };
  await goOn();
  const first = await leaderOf();
  await first.kill("SIGKILL");
  await goOn();
  await first.start(signal);
  const follower = cluster.nodes.find((node) => node !== first);
  await follower?.kill("SIGKILL");
  await goOn();
  await follower?.start(signal);
  await goOn();
  const stopped = await leaderOf();
  await stopped.kill("SIGSTOP");
  await goOn();
  await stopped.kill("SIGCONT");
  await goOn();
  ending = true;
  const done = (await Promise.all(writing)).reduce((sum, turns) => sum + turns, 0);
  await until(() => seen >= done, { what: "the watch to see the last", withinMs: 60_000, signal });
  stop.abort(new Error("seen enough"));
  await watching;
  expect(values).toEqual(Array.from({ length: done }, (_, index) => index + 1));
});

it("I2: says unavailable or unknown without a majority, and reads what one node has when it may", async () => {
  const limits = { ...ETCD_LIMITS, giveUpMs: 500 };
  await using store = await openEtcdCpStore({ ...options, limits }, signal);
  const value = bytesOf(1);
  const write = (key: string): Promise<unknown> =>
    store.transact({ compare: [], then: [{ type: "put", key, value }] }, signal);
  await write("a");
  await Promise.all(cluster.nodes.slice(0, 2).map((node) => node.kill("SIGKILL")));
  await expect(store.range({ key: "a" }, {}, signal)).rejects.toBeInstanceOf(StoreUnavailableError);
  const { entries } = await store.range({ key: "a" }, { serializable: true }, signal);
  expect(entries.map((entry) => textOf(entry.value))).toEqual(["1"]);
  const error: unknown = await write("b").catch((thrown: unknown) => thrown);
  expect([StoreUnavailableError, StoreUnknownError].some((type) => error instanceof type)).toBe(true);
  await cluster.nodes[0]?.start(signal);
  await until(
    () =>
      write("c").then(
        () => true,
        () => false,
      ),
    { what: "a majority", withinMs: 60_000, signal },
  );
});

it("refuses to open where nothing answers, and says where it asked", async () => {
  await Promise.all(cluster.nodes.map((node) => node.kill("SIGKILL")));
  const limits = { ...ETCD_LIMITS, giveUpMs: 200 };
  const opening = openEtcdCpStore({ ...options, limits }, signal);
  await expect(opening).rejects.toBeInstanceOf(StoreUnavailableError);
  await expect(opening).rejects.toThrow(cluster.addresses[0]);
});
