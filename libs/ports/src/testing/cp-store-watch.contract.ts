/** Watches: gapless, in order, whole revisions, and never at the cost of others. */
import { expect } from "vitest";
import { type CpStore, StoreUnavailableError, type WatchBatch } from "../cp-store.ts";
import { keyOf, revisionOf } from "./cp-store-model.ts";
import { deleteOf, eventsUpTo, putOf, revisionNow, transact } from "./cp-store.helpers.ts";
import { bytes, noAbort, rejection, type Setup, tester } from "./harness.ts";

/** Time in which a progress mark must have come: "at least every few seconds". */
const MARK_WITHIN_MS = 10_000;

export function watchTests(setup: Setup<CpStore>): void {
  const test = tester(setup);

  test("tells what happened behind a revision, puts and deletions", async (store) => {
    const start = await revisionNow(store);
    await transact(store, putOf("a", "1"));
    await transact(store, putOf("a", "2"), putOf("b", "2"));
    await transact(store, deleteOf({ prefix: "" }));
    const events = await eventsUpTo(store, { prefix: "" }, start + 1, start + 3);
    expect(events).toEqual([
      {
        type: "put",
        entry: {
          key: "a",
          value: bytes("2"),
          createRevision: start + 1,
          modRevision: start + 2,
          version: 2,
        },
      },
      {
        type: "put",
        entry: {
          key: "b",
          value: bytes("2"),
          createRevision: start + 2,
          modRevision: start + 2,
          version: 1,
        },
      },
      { type: "delete", key: "a", modRevision: start + 3 },
      { type: "delete", key: "b", modRevision: start + 3 },
    ]);
  });

  test("sees only its range", async (store) => {
    const start = await revisionNow(store);
    await transact(store, putOf("a"), putOf("a/1"), putOf("a/2"), putOf("b"));
    await transact(store, putOf("end"));
    const seen = async (range: Parameters<CpStore["watch"]>[0]): Promise<string> =>
      (await eventsUpTo(store, range, start, start + 1)).map(keyOf).join(" ");
    expect(await seen({ key: "a" })).toBe("a");
    expect(await seen({ prefix: "a/" })).toBe("a/1 a/2");
    expect(await seen({ prefix: "a", after: "a/1" })).toBe("a/2");
  });

  test("from 0 on tells what comes behind the call, though it is read later", async (store) => {
    await transact(store, putOf("before"));
    const now = await revisionNow(store);
    const watch = store.watch({ prefix: "" }, 0, noAbort)[Symbol.asyncIterator]();
    const first = watch.next();
    // The first read has been sent; a mark, or the event, answers it.
    await transact(store, putOf("behind"));
    const keys: string[] = [];
    for (let batch = await first; ; batch = await watch.next()) {
      const { events, revision } = batch.value as WatchBatch;
      keys.push(...events.map(keyOf));
      if (revision > now) break;
    }
    expect(keys).toEqual(["behind"]);
    await watch.return?.();
  });

  test("wakes for what another handle writes", async (store, harness) => {
    await using other = await harness.open();
    const start = await revisionNow(store);
    for (let turn = 1; turn <= 5; turn++) {
      const seen = eventsUpTo(store, { prefix: "" }, start + turn - 1, start + turn);
      await transact(other, putOf("k", String(turn)));
      expect((await seen).map(revisionOf)).toEqual([start + turn]);
    }
  });

  test("tells a slow reader everything, in whole revisions, however much has come meanwhile", async (store) => {
    const start = await revisionNow(store);
    const stop = new AbortController();
    const watch = store.watch({ prefix: "w/" }, start, stop.signal)[Symbol.asyncIterator]();
    const first = watch.next();
    for (let turn = 0; turn < 30; turn++) {
      const keys = Array.from({ length: 100 }, (_, index) => putOf(`w/${index}`, "x".repeat(100)));
      await transact(store, ...keys);
    }
    const counts = new Map<number, number>();
    for (let batch = await first; ; batch = await watch.next()) {
      const { events, revision } = batch.value as WatchBatch;
      for (const event of events) counts.set(revisionOf(event), (counts.get(revisionOf(event)) ?? 0) + 1);
      // What a mark covers is complete.
      for (const [at, count] of counts) expect([at <= revision, count]).toEqual([true, 100]);
      if (revision >= start + 30) break;
    }
    expect([...counts.keys()]).toEqual(Array.from({ length: 30 }, (_, index) => start + 1 + index));
    stop.abort(new Error("read enough"));
  });

  test("sees a deletion of very many keys as one revision", async (store) => {
    for (let from = 0; from < 1_200; from += 100)
      await transact(store, ...Array.from({ length: 100 }, (_, index) => putOf(`k/${from + index}`)));
    const before = await revisionNow(store);
    await transact(store, deleteOf({ prefix: "k/" }));
    const events = await eventsUpTo(store, { prefix: "" }, before, before + 1);
    expect(events).toHaveLength(1_200);
  });

  test("gives a sign of life when nothing happens in its range", async (store, harness) => {
    const start = await revisionNow(store);
    const watch = store.watch({ key: "quiet" }, start, noAbort)[Symbol.asyncIterator]();
    const first = watch.next();
    await transact(store, putOf("loud"));
    const { revision } = await transact(store, putOf("loud"));
    await Promise.race([first, harness.pass(MARK_WITHIN_MS)]);
    let mark = (await first).value as WatchBatch;
    while (mark.revision < revision) {
      const next = watch.next();
      await Promise.race([next, harness.pass(MARK_WITHIN_MS)]);
      mark = (await next).value as WatchBatch;
    }
    expect(mark).toEqual({ events: [], revision });
    await watch.return?.();
  });

  test("gives signs of life at the head of a quiet store, and marks to those who are behind", async (store, harness) => {
    const start = await revisionNow(store);
    const behind = store.watch({ key: "quiet" }, start, noAbort)[Symbol.asyncIterator]();
    const begun = behind.next();
    const { revision } = await transact(store, putOf("loud"));
    // Nothing is written any more. One watch stands where the store stands; it must not keep marks from the other.
    const head = store.watch({ key: "quiet" }, revision, noAbort)[Symbol.asyncIterator]();
    const alive = head.next();
    const marked = (async () => {
      let mark = (await begun).value as WatchBatch;
      while (mark.revision < revision) mark = (await behind.next()).value as WatchBatch;
      return mark;
    })();
    const both = Promise.all([alive, marked]);
    while ((await Promise.race([both, harness.pass(MARK_WITHIN_MS)])) === undefined) continue;
    const [first, last] = await both;
    expect([first.value, last]).toEqual([
      { events: [], revision },
      { events: [], revision },
    ]);
    await Promise.all([behind.return?.(), head.return?.()]);
  });

  test("tells a long history of large values, in order and without a gap", async (store) => {
    const start = await revisionNow(store);
    const count = 1_200;
    const value = "x".repeat(5_000);
    for (let from = 0; from < count; from += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => transact(store, putOf(`k/${from + index}`, value))),
      );
    const events = await eventsUpTo(store, { prefix: "k/" }, start, start + count);
    expect(events.map(revisionOf)).toEqual(Array.from({ length: count }, (_, index) => start + 1 + index));
    expect(new Set(events.map(keyOf)).size).toBe(count);
  });

  test("ends with the signal's reason, waiting or not", async (store) => {
    const reason = new Error("given up");
    const stop = new AbortController();
    const waiting = store.watch({ prefix: "" }, 0, stop.signal)[Symbol.asyncIterator]();
    const next = waiting.next();
    const idle = store.watch({ prefix: "" }, 0, stop.signal)[Symbol.asyncIterator]();
    stop.abort(reason);
    await expect(next).rejects.toBe(reason);
    await expect(idle.next()).rejects.toBe(reason);
  });

  test("ends when its store is closed", async (_store, harness) => {
    const closing = await harness.open();
    const watch = closing.watch({ prefix: "" }, 0, noAbort)[Symbol.asyncIterator]();
    const next = watch.next();
    const told = rejection(next, StoreUnavailableError);
    await closing[Symbol.asyncDispose]();
    await told;
  });
}
