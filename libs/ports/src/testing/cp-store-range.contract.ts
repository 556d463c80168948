/** Ranges: order, pages, the past. */
import { expect } from "vitest";
import type { CpStore } from "../cp-store.ts";
import { byBytes } from "./cp-store-model.ts";
import { deleteOf, keysOf, putOf, revisionNow, transact } from "./cp-store.helpers.ts";
import { noAbort, type Setup, tester, text } from "./harness.ts";

export function rangeTests(setup: Setup<CpStore>): void {
  const test = tester(setup);
  const paths = ["a", "a/", "a/1", "a/10", "a/2", "a0", "b"];

  test("finds the keys that begin with a prefix, in the order of their bytes", async (store) => {
    const keys = [...paths, "\u{fffd}", "\u{1f600}", "\u{1f600}/x", "é"];
    for (const key of keys.toReversed()) await transact(store, putOf(key));
    expect(await keysOf(store)).toEqual(keys.toSorted(byBytes));
    expect(await keysOf(store, "a/")).toEqual(["a/", "a/1", "a/10", "a/2"]);
    expect(await keysOf(store, "\u{1f600}")).toEqual(["\u{1f600}", "\u{1f600}/x"]);
    expect(await keysOf(store, "c")).toEqual([]);
    const one = await store.range({ key: "a" }, {}, noAbort);
    expect(one.entries.map((entry) => entry.key)).toEqual(["a"]);
  });

  test("gives pages behind a key, in either direction, and says when there is more", async (store) => {
    await transact(store, ...paths.map((key) => putOf(key)));
    const page = async (after: string | undefined, limit: number, descending: boolean) => {
      const range = after === undefined ? { prefix: "a" } : { prefix: "a", after };
      const { entries, more } = await store.range(range, { limit, descending }, noAbort);
      return [entries.map((entry) => entry.key).join(" "), more];
    };
    expect(await page(undefined, 3, false)).toEqual(["a a/ a/1", true]);
    expect(await page("a/1", 3, false)).toEqual(["a/10 a/2 a0", false]);
    // Behind a key that is not there.
    expect(await page("a/11", 1, false)).toEqual(["a/2", true]);
    expect(await page("a0", 3, false)).toEqual(["", false]);
    expect(await page(undefined, 3, true)).toEqual(["a0 a/2 a/10", true]);
    expect(await page("a/10", 3, true)).toEqual(["a/1 a/ a", false]);
  });

  test("leaves the values out when keys are asked for, and nothing else", async (store) => {
    const { revision } = await transact(store, putOf("k", "value"));
    const { entries } = await store.range({ prefix: "" }, { keysOnly: true }, noAbort);
    expect(entries).toEqual([
      { key: "k", value: new Uint8Array(), createRevision: revision, modRevision: revision, version: 1 },
    ]);
  });

  test("reads the state as of a revision, deleted keys included", async (store) => {
    const start = await revisionNow(store);
    await transact(store, putOf("a", "1"), putOf("b", "1"));
    await transact(store, putOf("a", "2"), deleteOf({ key: "b" }));
    await transact(store, putOf("b", "3"));
    const at = async (revision: number, descending = false): Promise<string> => {
      const { entries, revision: now } = await store.range({ prefix: "" }, { revision, descending }, noAbort);
      expect(now).toBe(start + 3);
      return entries.map((entry) => `${entry.key}=${text(entry.value)}`).join(" ");
    };
    expect(await at(start)).toBe("");
    expect(await at(start + 1)).toBe("a=1 b=1");
    expect(await at(start + 2)).toBe("a=2");
    expect(await at(start + 3)).toBe("a=2 b=3");
    expect(await at(start + 1, true)).toBe("b=1 a=1");
  });

  test("reads many large values in one answer, and in pages", async (store) => {
    const count = 12;
    const value = (index: number): string => String(index % 10).repeat(1_000_000);
    for (let index = 0; index < count; index++) await transact(store, putOf(`v/${index + 10}`, value(index)));
    const { entries, more } = await store.range({ prefix: "v/" }, {}, noAbort);
    expect([entries.length, more]).toEqual([count, false]);
    for (const [index, entry] of entries.entries()) expect(text(entry.value) === value(index)).toBe(true);
    const page = await store.range({ prefix: "v/", after: "v/20" }, { descending: true, limit: 7 }, noAbort);
    expect(page.entries.map((entry) => entry.key)).toEqual([19, 18, 17, 16, 15, 14, 13].map((n) => `v/${n}`));
    expect(page.more).toBe(true);
  });

  test("I15: refuses a revision that is not there yet", async (store) => {
    const now = await revisionNow(store);
    await expect(store.range({ prefix: "" }, { revision: now + 1 }, noAbort)).rejects.toThrow(
      /future|revision/,
    );
  });

  test("reads a large range as it stood at one moment, while others write", async (store, harness) => {
    await using other = await harness.open();
    const count = 3_000;
    for (let from = 0; from < count; from += 100) {
      const keys = Array.from({ length: 100 }, (_, index) => String(from + index).padStart(6, "0"));
      await transact(store, ...keys.map((key) => putOf(key, "old")));
    }
    const reading = store.range({ prefix: "" }, {}, noAbort);
    const writing = (async () => {
      for (let turn = 0; turn < 20; turn++)
        await transact(other, putOf("000000", "new"), putOf("002999", "new"), putOf(`x${turn}`));
    })();
    const { entries, more, revision } = await reading;
    await writing;
    const written = entries.filter((entry) => entry.modRevision > revision);
    const ends = [entries[0], entries[count - 1]].map((entry) => text(entry?.value ?? new Uint8Array()));
    expect([more, written, new Set(ends).size]).toEqual([false, [], 1]);
    expect(entries.length).toBeGreaterThanOrEqual(count);
  });
}
