import { keys } from "@greco/control-kit";
import type { CpStore } from "@greco/ports";
import { expect, it, onTestFinished } from "vitest";
import { put } from "../store/json.ts";
import type { HeadRecord, ModelRecord } from "../store/records.ts";
import { openStore, signal } from "../testing/harness.ts";
import { modelAt } from "./model-changes.ts";
import { ModelFeeds } from "./model-feeds.ts";

/** A model, its store, and how many watches of the store were opened. */
async function openModel() {
  const store = await openStore();
  onTestFinished(() => store[Symbol.asyncDispose]());
  const opened = { watches: 0 };
  const counting: CpStore = Object.assign(Object.create(store) as CpStore, {
    watch: (...args: Parameters<CpStore["watch"]>) => {
      opened.watches += 1;
      return store.watch(...args);
    },
  });
  const write = (key: string, value: HeadRecord | ModelRecord): Promise<unknown> =>
    store.transact({ compare: [], then: [put(key, value)] }, signal);
  const move = (version: number): Promise<unknown> =>
    write(keys.head("m"), { version, candidate: "", totalChanges: 0 });
  await write(keys.model("m"), {
    ...{ id: "m", displayName: "M", voters: "all", approvalRequired: false, creator: "ada", etag: "1" },
    ...{ createdAtMs: 0, updatedAtMs: 0 },
  });
  await move(0);
  const feeds = new ModelFeeds(counting);
  const watch = async (from?: number) => {
    const ending = new AbortController();
    onTestFinished(() => ending.abort(new Error("the test is over")));
    const then = await modelAt(store, "m", from, signal);
    const changes = feeds.behind("m", then, ending.signal);
    /** Versions of the next changes that are no marks. */
    const versions = async (count: number): Promise<number[]> => {
      const found: number[] = [];
      while (found.length < count) {
        const { value } = (await changes.next()) as IteratorYieldResult<{ response: Told }>;
        if (value.response.model !== undefined) found.push(Number(value.response.model.headVersion));
      }
      return found;
    };
    return { revision: then.revision, changes, versions, end: () => ending.abort(new Error("enough")) };
  };
  return { opened, move, watch };
}

type Told = { readonly model?: { readonly headVersion: bigint } | undefined };
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

it("reads the store once, however many watch, and tells each of every change", async () => {
  const { opened, move, watch } = await openModel();
  const watchers = await Promise.all(range(1, 20).map(() => watch()));
  const hearing = watchers.map(({ versions }) => versions(3));
  for (const version of [1, 2, 3]) await move(version);
  for (const heard of await Promise.all(hearing)) expect(heard).toEqual([1, 2, 3]);
  // The model's and the head's.
  expect(opened.watches).toBe(2);
});

it("tells who goes on from before what is kept all that it has missed", async () => {
  const { opened, move, watch } = await openModel();
  const early = await watch();
  await move(1);
  const first = await watch();
  const hearing = first.versions(1);
  await move(2);
  expect(await hearing).toEqual([2]);
  const again = await watch(early.revision);
  expect(await again.versions(2)).toEqual([1, 2]);
  expect(opened.watches).toBe(4);
  const beside = await watch(first.revision);
  expect(await beside.versions(1)).toEqual([2]);
  expect(opened.watches).toBe(4);
});

it("a reader that stands still misses nothing, and holds nobody up", async () => {
  const { move, watch } = await openModel();
  const [slow, quick] = [await watch(), await watch()];
  const first = slow.versions(1);
  const all = quick.versions(600);
  for (const version of range(1, 600)) await move(version);
  expect(await all).toEqual(range(1, 600));
  expect(await first).toEqual([1]);
  // More than is kept lies between. What it has heard it may hear again.
  const rest: number[] = [];
  while (rest.at(-1) !== 600) rest.push(...(await slow.versions(1)));
  expect(rest).toEqual(range(rest[0] ?? 0, 600));
  expect(rest[0]).toBeLessThanOrEqual(2);
});

it("lets the store's watch go with the last reader, and begins anew with the next", async () => {
  const { opened, move, watch } = await openModel();
  const first = await watch();
  const heard = first.versions(1);
  await move(1);
  await heard;
  const waiting = first.changes.next();
  first.end();
  await expect(waiting).rejects.toThrow("enough");
  const second = await watch();
  const hearing = second.versions(1);
  await move(2);
  expect(await hearing).toEqual([2]);
  expect(opened.watches).toBe(4);
});
