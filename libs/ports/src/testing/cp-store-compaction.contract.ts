/** Compaction: what is forgotten, and what must not be. */
import { expect } from "vitest";
import { CompactedError, type CpStore } from "../cp-store.ts";
import { keyOf, revisionOf } from "./cp-store-model.ts";
import { deleteOf, eventsUpTo, keysOf, putOf, revisionNow, transact } from "./cp-store.helpers.ts";
import { noAbort, rejection, type Setup, tester, text } from "./harness.ts";

export function compactionTests(setup: Setup<CpStore>): void {
  const test = tester(setup);

  test("forgets what is below a revision, and says from where it knows", async (store) => {
    const start = await revisionNow(store);
    await transact(store, putOf("k", "1"), putOf("gone", "1"), putOf("same", "1"));
    await transact(store, putOf("k", "2"), deleteOf({ key: "gone" }));
    await transact(store, putOf("k", "3"));
    await transact(store, putOf("k", "4"));
    await store.compact(start + 3, noAbort);
    const at = async (revision: number): Promise<string> => {
      const { entries } = await store.range({ prefix: "" }, { revision }, noAbort);
      return entries.map((entry) => `${entry.key}=${text(entry.value)}`).join(" ");
    };
    expect(await at(start + 3)).toBe("k=3 same=1");
    expect(await at(start + 4)).toBe("k=4 same=1");
    const error = await rejection(
      store.range({ prefix: "" }, { revision: start + 2 }, noAbort),
      CompactedError,
    );
    expect(error.compactRevision).toBe(start + 3);
  });

  test("ends a watch that would have to tell of what is forgotten, and lets others go on", async (store) => {
    const start = await revisionNow(store);
    for (const value of ["1", "2", "3", "4"]) await transact(store, putOf("k", value));
    await store.compact(start + 3, noAbort);
    const watch = store.watch({ prefix: "" }, start + 1, noAbort)[Symbol.asyncIterator]();
    const error = await rejection(watch.next(), CompactedError);
    expect(error.compactRevision).toBe(start + 3);
    const events = await eventsUpTo(store, { prefix: "" }, start + 3, start + 4);
    expect(events.map((event) => event.type === "put" && text(event.entry.value))).toEqual(["4"]);
  });

  test("tells who watches from the revision compacted to of everything in it, deletions too", async (store) => {
    await transact(store, putOf("gone"));
    const { revision } = await transact(store, deleteOf({ key: "gone" }), putOf("k", "1"));
    await transact(store, putOf("k", "2"));
    await store.compact(revision, noAbort);
    const events = await eventsUpTo(store, { prefix: "" }, revision - 1, revision + 1);
    expect(events.map((event) => [event.type, keyOf(event), revisionOf(event)])).toEqual([
      ["delete", "gone", revision],
      ["put", "k", revision],
      ["put", "k", revision + 1],
    ]);
  });

  test("keeps what stands now, and where it was compacted, when it is opened again", async (store, harness) => {
    const start = await revisionNow(store);
    await transact(store, putOf("a"), putOf("b"));
    await transact(store, deleteOf({ key: "b" }));
    await store.compact(start + 2, noAbort);
    await using again = await harness.open();
    expect(await keysOf(again)).toEqual(["a"]);
    await rejection(again.range({ prefix: "" }, { revision: start + 1 }, noAbort), CompactedError);
  });

  test("compacts a long history while others write", async (store, harness) => {
    await using other = await harness.open();
    for (let turn = 0; turn < 200; turn++) await transact(store, putOf(`k/${turn % 7}`, String(turn)));
    const now = await revisionNow(store);
    const writing = (async () => {
      for (let turn = 0; turn < 20; turn++) await transact(other, putOf(`k/${turn % 7}`, "new"));
    })();
    await store.compact(now, noAbort);
    await writing;
    const { entries } = await store.range({ prefix: "" }, { revision: now }, noAbort);
    const kept = entries.map((entry) => text(entry.value));
    expect(kept).toEqual(["196", "197", "198", "199", "193", "194", "195"]);
  });

  test("takes a repeated or lower compaction as done", async (store) => {
    await transact(store, putOf("k"));
    const { revision } = await transact(store, putOf("k"));
    await store.compact(revision, noAbort);
    await store.compact(revision, noAbort);
    await store.compact(revision - 1, noAbort);
    await rejection(store.range({ prefix: "" }, { revision: revision - 1 }, noAbort), CompactedError);
  });
}
