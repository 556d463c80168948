/** What every `CpStore` must do (cp-store.ts). An adapter's spec calls `cpStoreContract`; nothing here knows its engine. */
import { describe, expect } from "vitest";
import { type CpStore, CP_STORE_LIMITS, StoreLimitError } from "../cp-store.ts";
import { compactionTests } from "./cp-store-compaction.contract.ts";
import { deleteOf, getOf, keysOf, putOf, readOne, revisionNow, transact } from "./cp-store.helpers.ts";
import { faultTests, type Probe } from "./faults.contract.ts";
import { historyTests } from "./cp-store-history.contract.ts";
import { leaseTests } from "./cp-store-lease.contract.ts";
import { rangeTests } from "./cp-store-range.contract.ts";
import { watchTests } from "./cp-store-watch.contract.ts";
import { bytes, noAbort, rejection, type Setup, tester, text } from "./harness.ts";

export function cpStoreContract(name: string, setup: Setup<CpStore>): void {
  describe(`${name} keeps the contract of CpStore`, () => {
    describe("transactions", () => transactionTests(setup));
    describe("faults", () => cpFaultTests(setup));
    describe("ranges", () => rangeTests(setup));
    describe("compaction", () => compactionTests(setup));
    describe("watches", () => watchTests(setup));
    describe("leases", () => leaseTests(setup));
    describe("histories", () => historyTests(setup));
  });
}

function transactionTests(setup: Setup<CpStore>): void {
  const test = tester(setup);

  test("takes one revision for each transaction that writes, and none for others", async (store) => {
    const start = await revisionNow(store);
    expect((await transact(store, putOf("a"), putOf("b"))).revision).toBe(start + 1);
    expect((await transact(store, getOf({ key: "a" }))).revision).toBe(start + 1);
    expect((await transact(store, deleteOf({ key: "absent" }))).revision).toBe(start + 1);
    expect((await transact(store, putOf("a"))).revision).toBe(start + 2);
    expect((await transact(store, deleteOf({ prefix: "" }))).revision).toBe(start + 3);
    expect(await revisionNow(store)).toBe(start + 3);
  });

  test("counts a key's versions from its creation, and anew when it was deleted", async (store) => {
    const start = await revisionNow(store);
    await transact(store, putOf("k", "one"));
    await transact(store, putOf("k", "two"));
    const second = { key: "k", createRevision: start + 1, modRevision: start + 2, version: 2 };
    expect(await readOne(store, "k")).toEqual({ ...second, value: bytes("two") });
    await transact(store, deleteOf({ key: "k" }));
    expect(await readOne(store, "k")).toBeUndefined();
    await transact(store, putOf("k"));
    expect(await readOne(store, "k")).toMatchObject({ createRevision: start + 4, version: 1 });
  });

  test("carries out one list or the other, and answers each operation", async (store) => {
    const decide = {
      compare: [{ key: "head", target: "version", is: "=", value: 0 }],
      then: [putOf("head", "mine"), getOf({ key: "head" })],
      else: [getOf({ key: "head" }), getOf({ key: "absent" })],
    } as const;
    const first = await store.transact(decide, noAbort);
    const second = await store.transact(decide, noAbort);
    expect([first.succeeded, second.succeeded]).toEqual([true, false]);
    expect(first.responses.map((each) => each.map((entry) => text(entry.value)))).toEqual([[], ["mine"]]);
    expect(second.responses.map((each) => each.map((entry) => text(entry.value)))).toEqual([["mine"], []]);
    expect(second.revision).toBe(first.revision);
  });

  test("needs every comparison to hold, and without any carries out the first list", async (store) => {
    await transact(store, putOf("a", "1"));
    const there = { key: "a", target: "version", is: "=", value: 1 } as const;
    const absent = { key: "a", target: "version", is: "=", value: 0 } as const;
    const run = async (compare: readonly (typeof there | typeof absent)[]): Promise<boolean> =>
      (await store.transact({ compare, then: [] }, noAbort)).succeeded;
    expect([await run([there, absent]), await run([there, there]), await run([])]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test("I2: compares revisions, versions and values as they are, an absent key with 0", async (store) => {
    const start = await revisionNow(store);
    await transact(store, putOf("k", "one"));
    await transact(store, putOf("k", "two"));
    const actual = { modRevision: start + 2, createRevision: start + 1, version: 2 };
    for (const target of ["modRevision", "createRevision", "version"] as const) {
      for (const [key, value] of [
        ["k", actual[target]],
        ["absent", 0],
      ] as const) {
        for (const offset of [-1, 0, 1]) {
          const run = async (is: "=" | "!=" | "<" | ">"): Promise<boolean> => {
            const compare = [{ key, target, is, value: value + offset }];
            return (await store.transact({ compare, then: [] }, noAbort)).succeeded;
          };
          const seen = [await run("="), await run("!="), await run("<"), await run(">")];
          expect(seen, `${target} of ${key}, ${offset}`).toEqual([
            offset === 0,
            offset !== 0,
            offset === 1,
            offset === -1,
          ]);
        }
      }
    }
  });

  test("compares values; an absent key has none, neither equal nor different", async (store) => {
    await transact(store, putOf("k", "one"), putOf("empty", ""));
    const run = async (key: string, is: "=" | "!=", value: string): Promise<boolean> =>
      (
        await store.transact(
          { compare: [{ key, target: "value", is, value: bytes(value) }], then: [] },
          noAbort,
        )
      ).succeeded;
    expect([await run("k", "=", "one"), await run("k", "!=", "one")]).toEqual([true, false]);
    expect([await run("k", "=", "on"), await run("k", "!=", "on")]).toEqual([false, true]);
    expect([
      await run("empty", "=", ""),
      await run("absent", "=", ""),
      await run("absent", "!=", "x"),
    ]).toEqual([true, false, false]);
  });

  test("shows a transaction its own writes, in the order of its operations", async (store) => {
    await transact(store, putOf("k", "old"));
    const { responses, revision } = await transact(
      store,
      getOf({ key: "k" }),
      putOf("k", "new"),
      getOf({ key: "k" }),
      deleteOf({ key: "other" }),
    );
    expect(responses.map((each) => each.map((entry) => text(entry.value)))).toEqual([
      ["old"],
      [],
      ["new"],
      [],
    ]);
    expect(responses[2]?.[0]?.modRevision).toBe(revision);
  });

  test("I15: refuses a key that is written twice, and changes nothing", async (store) => {
    await transact(store, putOf("a/1", "old"));
    const start = await revisionNow(store);
    await rejection(transact(store, putOf("a/1"), putOf("b"), putOf("a/1")), StoreLimitError);
    await rejection(transact(store, putOf("a/1"), deleteOf({ key: "a/1" })), StoreLimitError);
    await rejection(transact(store, deleteOf({ prefix: "a/" }), putOf("a/1")), StoreLimitError);
    // Even in the list that would not be carried out.
    const otherwise = { compare: [], then: [putOf("b")], else: [putOf("c"), putOf("c")] };
    await rejection(store.transact(otherwise, noAbort), StoreLimitError);
    expect(await revisionNow(store)).toBe(start);
    expect(await keysOf(store)).toEqual(["a/1"]);
    await transact(store, deleteOf({ prefix: "a/" }), putOf("b"));
    expect(await keysOf(store)).toEqual(["b"]);
  });

  test("I15: takes what is within its limits, and refuses more with nothing changed", async (store) => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => putOf(`k/${index}`));
    await transact(store, ...many(CP_STORE_LIMITS.operations));
    const start = await revisionNow(store);
    await rejection(transact(store, ...many(CP_STORE_LIMITS.operations + 1)), StoreLimitError);
    const large = "x".repeat(CP_STORE_LIMITS.bytes - 1_000);
    await transact(store, putOf("large", large));
    await rejection(
      transact(store, putOf("large", large), putOf("more", "x".repeat(1_000))),
      StoreLimitError,
    );
    expect(await revisionNow(store)).toBe(start + 1);
    expect((await readOne(store, "large"))?.value.length).toBe(large.length);
  });

  test("I15: refuses an empty key", async (store) => {
    const start = await revisionNow(store);
    await rejection(transact(store, putOf("")), StoreLimitError);
    expect(await revisionNow(store)).toBe(start);
  });

  test("I2, I3: of many who swap one key at once, through several handles, exactly one wins", async (store, harness) => {
    await using other = await harness.open();
    for (let round = 0; round < 5; round++) {
      const before = (await readOne(store, "head"))?.modRevision ?? 0;
      const swaps = Array.from({ length: 12 }, (_, index) =>
        (index % 2 === 0 ? store : other).transact(
          {
            compare: [{ key: "head", target: "modRevision", is: "=", value: before }],
            then: [putOf("head", `${round}.${index}`)],
          },
          noAbort,
        ),
      );
      const winners = (await Promise.all(swaps)).flatMap((each, index) => (each.succeeded ? [index] : []));
      expect(winners).toHaveLength(1);
      const head = await readOne(other, "head");
      expect(text(head?.value ?? bytes(""))).toBe(`${round}.${winners[0]}`);
    }
  });
}

/** A transaction of two keys. */
const probe: Probe<CpStore> = {
  write: (store, turn, signal) =>
    store.transact({ compare: [], then: [putOf(`${turn}/a`), putOf(`${turn}/b`)] }, signal),
  async written(store, turn) {
    const { length } = await keysOf(store, `${turn}/`);
    return length === 1 ? "in part" : length === 2;
  },
};

function cpFaultTests(setup: Setup<CpStore>): void {
  faultTests(setup, probe);
  const test = tester(setup);

  test("keeps history and revision when it is closed and opened again", async (store, harness) => {
    const closed = await harness.open();
    await transact(closed, putOf("k", "one"));
    const { revision } = await transact(closed, putOf("k", "two"));
    await closed[Symbol.asyncDispose]();
    await using again = await harness.open();
    expect(await readOne(again, "k")).toMatchObject({ modRevision: revision, version: 2 });
    const past = await again.range({ key: "k" }, { revision: revision - 1 }, noAbort);
    expect(past.entries.map((entry) => text(entry.value))).toEqual(["one"]);
    expect((await transact(store, putOf("l"))).revision).toBe(revision + 1);
  });

  test("rejects every call with the signal's reason when it has aborted", async (store) => {
    const start = await revisionNow(store);
    const reason = new Error("given up");
    const aborted = AbortSignal.abort(reason);
    await expect(store.range({ key: "k" }, {}, aborted)).rejects.toBe(reason);
    await expect(store.grantLease(1_000, aborted)).rejects.toBe(reason);
    await expect(store.compact(start, aborted)).rejects.toBe(reason);
    expect(await revisionNow(store)).toBe(start);
  });
}
