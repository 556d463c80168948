import type { WatchModelResponse } from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import { CompactedError, type CpStore, type WatchBatch } from "@greco/ports";
import { expect, it, onTestFinished } from "vitest";
import { put } from "../store/json.ts";
import type { HeadRecord, ModelRecord } from "../store/records.ts";
import { openStore, signal } from "../testing/harness.ts";
import { ModelFeeds } from "./model-feeds.ts";

type Held = { readonly until: Promise<void>; readonly letGo: () => void };

/** A model and its store, whose watches are counted, can be held up, and can be made to fail. */
async function openModel() {
  const store = await openStore();
  onTestFinished(() => store[Symbol.asyncDispose]());
  const opened: string[] = [];
  const failing = new AbortController();
  let marks = 0;
  let held: { readonly key: string; readonly gate: Held } | undefined;
  const watching: CpStore = Object.assign(Object.create(store) as CpStore, {
    async *watch(...[range, after, stop]: Parameters<CpStore["watch"]>): AsyncGenerator<WatchBatch> {
      const key = "key" in range ? range.key : range.prefix;
      // The first two are the feed's.
      const isFeeds = opened.push(key) <= 2;
      const gate = isFeeds && held?.key === key ? held.gate : undefined;
      const both = isFeeds ? AbortSignal.any([stop, failing.signal]) : stop;
      for await (const batch of store.watch(range, after, both)) {
        await gate?.until;
        yield batch;
        for (; isFeeds && marks > 0; marks -= 1) yield { events: [], revision: batch.revision };
      }
    },
  });
  const write = (key: string, value: HeadRecord | ModelRecord): Promise<unknown> =>
    store.transact({ compare: [], then: [put(key, value)] }, signal);
  const move = (version: number): Promise<unknown> =>
    write(keys.head("m"), { version, candidate: "", totalChanges: 0 });
  const rename = (displayName: string): Promise<unknown> =>
    write(keys.model("m"), {
      ...{ id: "m", displayName, voters: "all", approvalRequired: false, creator: "ada", etag: "1" },
      ...{ createdAtMs: 0, updatedAtMs: 0 },
    });
  await rename("M");
  await move(0);
  const feeds = new ModelFeeds(watching);
  const watch = (from?: number) => {
    const ending = new AbortController();
    onTestFinished(() => ending.abort(new Error("the test is over")));
    const changes = feeds.from("m", from, ending.signal);
    /** The next answers that are no marks. */
    const told = async (count: number): Promise<WatchModelResponse[]> => {
      const found: WatchModelResponse[] = [];
      while (found.length < count) {
        const { value } = await changes.next();
        if (value?.model !== undefined) found.push(value);
      }
      return found;
    };
    const versions = async (count: number): Promise<number[]> =>
      (await told(count)).map(({ model }) => Number(model?.headVersion));
    return { changes, told, versions, end: () => ending.abort(new Error("enough")) };
  };
  return {
    ...{ opened, move, rename, watch },
    /** Every batch of the feed's is followed by so many. */
    marks: (count: number) => (marks = count),
    fail: () => failing.abort(new CompactedError(1)),
    /** The feed's watch of this key tells nothing until it is let go. */
    hold(key: string): () => void {
      const { promise: until, resolve: letGo } = Promise.withResolvers<void>();
      held = { key, gate: { until, letGo } };
      return letGo;
    },
  };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

it("reads the store once, however many watch, and tells each of every change", async () => {
  const { opened, move, watch } = await openModel();
  const watchers = range(1, 20).map(() => watch());
  for (const { versions } of watchers) expect(await versions(1)).toEqual([0]);
  const hearing = watchers.map(({ told }) => told(3));
  for (const version of [1, 2, 3]) await move(version);
  const heard = await Promise.all(hearing);
  for (const each of heard) expect(each.map(({ model }) => model?.headVersion)).toEqual([1n, 2n, 3n]);
  // One message for all, which is encoded once.
  expect(new Set(heard.map((each) => each[2])).size).toBe(1);
  expect(opened).toHaveLength(2);
});

it("tells who goes on from before what is kept all that it has missed, and then takes it to the others", async () => {
  const { opened, move, watch } = await openModel();
  const [early] = await watch().told(1);
  await move(1);
  const first = watch();
  expect(await first.versions(1)).toEqual([1]);
  const again = watch(Number(early?.revision));
  expect(await again.versions(1)).toEqual([1]);
  const hearing = [first.told(2), again.told(2)];
  await move(2);
  await move(3);
  const [one, other] = await Promise.all(hearing);
  expect(other?.map(({ model }) => model?.headVersion)).toEqual([2n, 3n]);
  expect(other?.[1]).toBe(one?.[1]);
  expect(opened.length).toBeLessThanOrEqual(6);
});

it("a reader that stands still misses nothing, and holds nobody up", async () => {
  const { move, watch } = await openModel();
  const [slow, quick] = [watch(), watch()];
  for (const { versions } of [slow, quick]) expect(await versions(1)).toEqual([0]);
  const first = slow.versions(1);
  const all = quick.versions(600);
  for (const version of range(1, 600)) await move(version);
  expect(await all).toEqual(range(1, 600));
  expect(await first).toEqual([1]);
  // More than is kept lies between.
  expect(await slow.versions(599)).toEqual(range(2, 600));
});

it("never tells who joins of the settings as they were before what it has been told", async () => {
  const { hold, move, rename, watch } = await openModel();
  const letGo = hold(keys.model("m"));
  const [first] = await watch().told(1);
  expect(first?.model?.displayName).toBe("M");
  await rename("New");
  // The feed has not heard of the new name, and hears of the head.
  const joins = watch();
  const titles = async (count: number) =>
    (await joins.told(count)).map(({ model }) => [model?.displayName, Number(model?.headVersion)]);
  expect(await titles(1)).toEqual([["New", 0]]);
  await move(1);
  expect(await titles(1)).toEqual([["New", 1]]);
  letGo();
  await rename("Newer");
  await move(2);
  const rest = await titles(2);
  expect(rest.map(([title]) => title)).not.toContain("M");
  expect(rest).toContainEqual(["Newer", 2]);
});

it("goes on by watches of its own when the feed fails, and comes back to the next feed", async () => {
  const { fail, move, opened, watch } = await openModel();
  const watchers = [watch(), watch()];
  for (const { versions } of watchers) expect(await versions(1)).toEqual([0]);
  const hear = () => Promise.all(watchers.map(({ told }) => told(1)));
  const before = hear();
  await move(1);
  expect((await before).map(([each]) => each?.model?.headVersion)).toEqual([1n, 1n]);
  fail();
  const heard: number[][] = [[], []];
  for (const version of range(2, 9)) {
    const next = hear();
    await move(version);
    for (const [index, [each]] of (await next).entries())
      heard[index]?.push(Number(each?.model?.headVersion));
  }
  expect(heard).toEqual([range(2, 9), range(2, 9)]);
  const opens = opened.length;
  const last = hear();
  await move(10);
  const [one, other] = await last;
  expect(one?.[0]).toBe(other?.[0]);
  expect(opened).toHaveLength(opens);
});

it("ends nobody who has heard nothing yet when the feed fails", async () => {
  const { fail, move, watch } = await openModel();
  const joined = watch();
  expect(await joined.versions(1)).toEqual([0]);
  fail();
  const hearing = joined.versions(1);
  await move(1);
  expect(await hearing).toEqual([1]);
});

it("keeps changes, not marks: who joins later is told neither marks of the past nor less than what is kept", async () => {
  const { marks, move, watch } = await openModel();
  const first = watch();
  const [start] = await first.told(1);
  marks(300);
  const heard = first.versions(1);
  await move(1);
  expect(await heard).toEqual([1]);
  const later = watch(Number(start?.revision));
  expect(await later.versions(1)).toEqual([1]);
  const next = later.changes.next();
  await move(2);
  // At most one mark, of how far the feed is, stands between.
  const told = [(await next).value, (await later.changes.next()).value];
  expect(told.some((each) => each?.model?.headVersion === 2n)).toBe(true);
});

it("lets the store's watch go with the last reader, and begins anew with the next", async () => {
  const { opened, move, watch } = await openModel();
  const first = watch();
  expect(await first.versions(1)).toEqual([0]);
  const heard = first.versions(1);
  await move(1);
  await heard;
  const waiting = first.changes.next();
  first.end();
  await expect(waiting).rejects.toThrow("enough");
  const second = watch();
  expect(await second.versions(1)).toEqual([1]);
  const hearing = second.versions(1);
  await move(2);
  expect(await hearing).toEqual([2]);
  expect(opened).toHaveLength(4);
});
