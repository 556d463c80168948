// Watches on a connection that is cut at the worst moments (B-watch).
import { CompactedError, type CpStore, type WatchBatch, type WatchEvent } from "@greco/ports";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { until } from "../../../../tools/servers/until.ts";
import { type EtcdOptions, openEtcdCpStore } from "./cp-store.ts";
import { etcdOptions } from "./testing/setup.ts";
import { startWatchProxy, type WatchProxy } from "./testing/watch-proxy.ts";

const { signal } = new AbortController();

let cluster: Cluster;
let node: string;
beforeAll(async () => {
  cluster = await servers.etcd({ own: true }, signal);
  node = cluster.addresses[0] ?? "";
});
afterAll(() => cluster[Symbol.asyncDispose]());

type Scene = AsyncDisposable & {
  readonly proxy: WatchProxy;
  /** Through the proxy, and beside it: the same keys. */
  readonly cut: CpStore;
  readonly direct: CpStore;
};

async function scene(limits: EtcdOptions["limits"] = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const proxy = stack.use(await startWatchProxy(node));
  const options = etcdOptions([node], { limits: { progressMs: 100, silenceMs: 1_500, ...limits } });
  const direct = stack.use(await openEtcdCpStore(options, signal));
  const cut = stack.use(await openEtcdCpStore({ ...options, hosts: [proxy.address] }, signal));
  const owned = stack.move();
  return { proxy, cut, direct, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const value = new Uint8Array([1]);
const put = async (store: CpStore, key: string): Promise<number> =>
  (await store.transact({ compare: [], then: [{ type: "put", key, value }] }, signal)).revision;
const remove = async (store: CpStore, key: string): Promise<number> =>
  (await store.transact({ compare: [], then: [{ type: "delete", range: { key } }] }, signal)).revision;
const keyOf = (event: WatchEvent): string => (event.type === "put" ? event.entry.key : event.key);
const named = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `w/${String(from + index).padStart(4, "0")}`);

async function putAll(store: CpStore, keys: readonly string[]): Promise<number> {
  let last = 0;
  for (const key of keys) last = await put(store, key);
  return last;
}

/** Keys of events, until everything up to `revision` was delivered. */
async function read(watch: AsyncIterator<WatchBatch>, revision: number): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const { value: batch } = (await watch.next()) as { value: WatchBatch };
    keys.push(...batch.events.map(keyOf));
    if (batch.revision >= revision) return keys;
  }
}

const watchOf = (store: CpStore, after: number): AsyncIterator<WatchBatch> =>
  store.watch({ prefix: "w/" }, after, signal)[Symbol.asyncIterator]();

it("B-watch: loses no event when it is cut twice in a row right after its creation", async () => {
  await using each = await scene();
  const start = await put(each.direct, "w/before");
  const last = await putAll(each.direct, named(0, 500));
  each.proxy.cutAtCreation(2);
  const watch = watchOf(each.cut, start);
  expect(await read(watch, last)).toEqual(named(0, 500));
  expect(each.proxy.cuts).toBe(2);
  await watch.return?.();
});

it("B-watch: loses no event when it is cut in the middle, and then twice right after its creation", async () => {
  await using each = await scene();
  const start = await put(each.direct, "w/before");
  const watch = watchOf(each.cut, start);
  expect(await read(watch, await putAll(each.direct, named(0, 20)))).toEqual(named(0, 20));
  for (let round = 0; round < 3; round++) {
    each.proxy.close();
    const keys = named(100 * round, 100 * round + 100);
    const last = await putAll(each.direct, keys);
    each.proxy.cutAtCreation(2);
    each.proxy.open();
    expect(await read(watch, last)).toEqual(keys);
  }
  expect(each.proxy.cuts).toBe(6);
  await watch.return?.();
});

it("B-watch: says so when etcd was compacted meanwhile, and who lists again has lost nothing", async () => {
  await using each = await scene();
  await putAll(each.direct, named(0, 50));
  // What a reader of the port does: a list, then a watch behind it, and again where history is gone.
  const seen = new Map<string, number>();
  let lists = 0;
  let upTo = 0;
  const stop = new AbortController();
  const following = (async () => {
    while (!stop.signal.aborted) {
      const { entries, revision } = await each.cut.range({ prefix: "w/" }, {}, stop.signal);
      lists++;
      seen.clear();
      for (const { key, modRevision } of entries) seen.set(key, modRevision);
      upTo = revision;
      try {
        for await (const batch of each.cut.watch({ prefix: "w/" }, revision, stop.signal)) {
          for (const event of batch.events)
            if (event.type === "put") seen.set(event.entry.key, event.entry.modRevision);
            else seen.delete(event.key);
          upTo = batch.revision;
        }
      } catch (error) {
        if (!(error instanceof CompactedError)) throw error;
      }
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  const caughtUp = (revision: number): Promise<void> =>
    until(() => upTo >= revision, { what: "the follower", withinMs: 60_000, signal });
  await caughtUp(await put(each.direct, "w/x"));
  for (let round = 0; round < 3; round++) {
    each.proxy.close();
    await putAll(each.direct, named(100 + 20 * round, 120 + 20 * round));
    await remove(each.direct, named(round, round + 1)[0] ?? "");
    const last = await put(each.direct, "w/x");
    await each.direct.compact(last, signal);
    await put(each.direct, "w/y");
    each.proxy.cutAtCreation(2);
    each.proxy.open();
    await caughtUp(last + 1);
  }
  expect(lists).toBe(4);
  const { entries } = await each.direct.range({ prefix: "w/" }, {}, signal);
  expect(seen).toEqual(new Map(entries.map((entry) => [entry.key, entry.modRevision])));
  stop.abort(new Error("followed enough"));
  await following;
});

it("B-watch: tells silence from quiet, and goes on elsewhere", async () => {
  await using each = await scene();
  const start = await put(each.direct, "w/before");
  const watch = watchOf(each.cut, start);
  expect(await read(watch, await put(each.direct, "w/1"))).toEqual(["w/1"]);
  // Nothing passes on the connection that is there; nobody resets it.
  each.proxy.freeze();
  const last = await put(each.direct, "w/2");
  expect(await read(watch, last)).toEqual(["w/2"]);
  await watch.return?.();
});

it("goes on behind a revision that is compacted itself", async () => {
  await using each = await scene();
  const start = await put(each.direct, "w/before");
  const next = await put(each.direct, "w/next");
  const watch = watchOf(each.cut, next);
  // Asked for again from where it stands, because nothing is written; history below the next is gone then.
  expect(await watch.next()).toEqual({ done: false, value: { events: [], revision: next } });
  await each.direct.compact(next, signal);
  expect(await read(watch, await put(each.direct, "w/1"))).toEqual(["w/1"]);
  await watch.return?.();
  const late = watchOf(each.cut, next - 1);
  expect(await read(late, next + 1)).toEqual(["w/next", "w/1"]);
  await late.return?.();
  const gone = watchOf(each.cut, start - 1);
  await expect(gone.next()).rejects.toMatchObject({ name: "CompactedError", compactRevision: next });
});

it("holds no more than its bound for a slow reader, and others go on", async () => {
  await using each = await scene({ watchEvents: 50 });
  const start = await put(each.direct, "w/before");
  const slow = watchOf(each.cut, start);
  const first = slow.next();
  const quick = watchOf(each.cut, start);
  const last = await putAll(each.direct, named(0, 400));
  expect(await read(quick, last)).toEqual(named(0, 400));
  const begun = ((await first).value as WatchBatch).events.map(keyOf);
  expect([...begun, ...(await read(slow, last))]).toEqual(named(0, 400));
  await Promise.all([slow.return?.(), quick.return?.()]);
});

it("carries many watches on one stream", async () => {
  await using each = await scene();
  const start = await put(each.direct, "w/before");
  const prefixes = Array.from({ length: 200 }, (_, index) => `w/${index}/`);
  const watches = prefixes.map((prefix) => each.cut.watch({ prefix }, start, signal)[Symbol.asyncIterator]());
  let last = 0;
  for (const prefix of prefixes) last = await put(each.direct, `${prefix}k`);
  const seen = await Promise.all(watches.map((watch) => read(watch, last)));
  expect(seen).toEqual(prefixes.map((prefix) => [`${prefix}k`]));
  expect(await watchStreams()).toBe(1);
  for (const watch of watches) await watch.return?.();
});

/** Streams of watches that the node has open, by its own count. */
async function watchStreams(): Promise<number> {
  const text = await (await fetch(`http://${node}/metrics`)).text();
  const found = /^etcd_debugging_mvcc_watch_stream_total (\d+)/m.exec(text);
  return Number(found?.[1]);
}
