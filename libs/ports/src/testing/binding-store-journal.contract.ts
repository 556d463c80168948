/**
 * A conductor's lease and journal. I1, K1 and K2 rest on it: what is in the journal is durable before anything is
 * said, and who was taken over writes nothing more.
 */
import type { ConductorId, ModelId } from "@greco/domain/model";
import { expect } from "vitest";
import { type BindingStore, FencedError, type JournalRecord } from "../binding-store.ts";
import { forSeeds, noAbort, rejection, type Setup, tester } from "./harness.ts";

const model = "flights" as ModelId;
const conductor = "worker" as ConductorId;

const record = (sequence: number, what = "vote"): JournalRecord => ({
  sequence,
  json: JSON.stringify({ what, sequence }),
});

const read = (store: BindingStore, after = 0, limit = 1_000, who = conductor) =>
  store.readJournal(model, who, after, limit, noAbort);

const append = (store: BindingStore, incarnation: number, ...records: JournalRecord[]) =>
  store.appendJournal(model, conductor, incarnation, records, noAbort);

export function journalTests(setup: Setup<BindingStore>): void {
  const test = tester(setup);
  const take = (store: BindingStore) => store.takeConductor(model, conductor, noAbort);

  test("gives each start of a conductor the next incarnation", async (store, harness) => {
    await using other = await harness.open();
    expect(await store.readConductor(model, conductor, noAbort)).toBeUndefined();
    expect(await take(store)).toEqual({ incarnation: 1, count: 0 });
    expect(await take(other)).toEqual({ incarnation: 2, count: 0 });
    expect(await store.readConductor(model, conductor, noAbort)).toEqual({ incarnation: 2, count: 0 });
    const others = await store.takeConductor(model, "streams" as ConductorId, noAbort);
    expect(others.incarnation).toBe(1);
  });

  test("gives every one of many who start at once an incarnation of its own", async (store, harness) => {
    await using other = await harness.open();
    const leases = await Promise.all([take(store), take(other), take(store), take(other)]);
    const taken = leases.map((lease) => lease.incarnation);
    expect(new Set(taken).size).toBe(4);
    // One whose answer was lost may be left out.
    expect((await take(store)).incarnation).toBeGreaterThan(Math.max(...taken));
  });

  test("renews the lease as it was seen, and refuses who was taken over", async (store, harness) => {
    await using other = await harness.open();
    const lease = await take(store);
    const renew = (handle: BindingStore, from: typeof lease) =>
      handle.renewConductor(model, conductor, from, noAbort);
    expect(await renew(store, lease)).toEqual({ incarnation: 1, count: 1 });
    expect(await renew(store, lease)).toBeUndefined();
    await take(other);
    expect(await renew(store, { incarnation: 1, count: 1 })).toBeUndefined();
    expect(await renew(other, { incarnation: 2, count: 0 })).toEqual({ incarnation: 2, count: 1 });
    expect(await store.renewConductor(model, "nobody" as ConductorId, lease, noAbort)).toBeUndefined();
  });

  test("K2: refuses every write of an incarnation that was taken over, and keeps none of it", async (store, harness) => {
    await using other = await harness.open();
    const old = await take(store);
    await append(store, old.incarnation, record(1));
    const fresh = await take(other);
    await append(other, fresh.incarnation, record(2, "tombstone"));
    await rejection(append(store, old.incarnation, record(3)), FencedError);
    // Not even what it wrote before, or nothing at all: it must stop.
    await rejection(append(store, old.incarnation, record(1)), FencedError);
    const compacting = store.compactJournal(model, conductor, old.incarnation, 2, record(2), noAbort);
    await rejection(compacting, FencedError);
    await rejection(append(store, fresh.incarnation + 1, record(3)), FencedError);
    expect(await read(other)).toEqual([record(1), record(2, "tombstone")]);
  });

  test("K2: of a write and a takeover at once, the write is there before the takeover or not at all", async (store, harness) => {
    await using other = await harness.open();
    for (let round = 1; round <= 10; round++) {
      const lease = await take(store);
      const last = (await read(store)).length;
      const [written, , seen] = await Promise.all([
        append(store, lease.incarnation, record(last + 1)).then(
          () => true,
          () => false,
        ),
        take(other),
        take(other).then(() => read(other)),
      ]);
      expect(seen.length).toBe(written ? last + 1 : last);
    }
  });

  test("I1: gives back the records in order, from a sequence on, some at a time", async (store, harness) => {
    await using other = await harness.open();
    const { incarnation } = await take(store);
    const large: JournalRecord = { sequence: 4, json: JSON.stringify("é".repeat(400_000)) };
    await append(store, incarnation, record(1), record(2));
    await append(store, incarnation, record(3), large);
    expect(await read(other)).toEqual([record(1), record(2), record(3), large]);
    expect(await read(other, 1, 2)).toEqual([record(2), record(3)]);
    expect(await read(other, 4)).toEqual([]);
    expect(await read(other, 0, 10, "nobody" as ConductorId)).toEqual([]);
    const again = await take(other);
    await append(other, again.incarnation, record(5));
    expect((await read(store, 4)).length).toBe(1);
  });

  test("K1: takes a record again whose answer was lost, and never replaces one", async (store) => {
    const { incarnation } = await take(store);
    await append(store, incarnation, record(1), record(2));
    await append(store, incarnation, record(2), record(3));
    await expect(append(store, incarnation, record(2, "another"), record(4))).rejects.toThrow(/sequence 2/);
    expect(await read(store)).toEqual([record(1), record(2), record(3)]);
  });

  test("refuses records that leave a gap, all of them", async (store) => {
    const { incarnation } = await take(store);
    await expect(append(store, incarnation, record(2))).rejects.toThrow(/sequence 1/);
    await expect(append(store, incarnation, record(1), record(3))).rejects.toThrow(/sequence 2/);
    expect(await read(store)).toEqual([]);
  });

  test("I1: takes many records at once, and gives them back page by page", async (store, harness) => {
    await using other = await harness.open();
    const { incarnation } = await take(store);
    const all = Array.from({ length: 400 }, (_, index) => record(index + 1));
    await append(store, incarnation, ...all);
    const seen: JournalRecord[] = [];
    while (seen.length < all.length) {
      const page = await read(other, seen.at(-1)?.sequence ?? 0, 150);
      expect(page.length).toBeGreaterThan(0);
      seen.push(...page);
    }
    expect(seen).toEqual(all);
  });

  test("compacts to one record that stands where the last of them stood, and goes on behind it", async (store, harness) => {
    await using other = await harness.open();
    const { incarnation } = await take(store);
    const compact = (upTo: number, summary: JournalRecord) =>
      store.compactJournal(model, conductor, incarnation, upTo, summary, noAbort);
    await append(store, incarnation, record(1), record(2), record(3), record(4));
    await compact(3, record(3, "summary"));
    expect(await read(other)).toEqual([record(3, "summary"), record(4)]);
    await append(store, incarnation, record(5));
    // Repeats, late or not, of what is compacted already.
    await compact(3, record(3, "summary"));
    await append(store, incarnation, record(2), record(4));
    await compact(5, record(5, "more"));
    await compact(3, record(3, "summary"));
    expect(await read(other)).toEqual([record(5, "more")]);
    await expect(compact(9, record(9, "ahead"))).rejects.toThrow(/at most 5/);
    await append(store, incarnation, record(6));
    expect(await read(other, 5)).toEqual([record(6)]);
  });

  test("K1, K2: reads as a list would, through takeovers, repeats and compactions", async (_store, harness) => {
    let conductors = 0;
    await forSeeds(async (random) => {
      const who = `conductor-${++conductors}` as ConductorId;
      await using one = await harness.open();
      await using two = await harness.open();
      let { incarnation } = await one.takeConductor(model, who, noAbort);
      let records: JournalRecord[] = [];
      let last = 0;
      for (let turn = 0; turn < 60; turn++) {
        const store = random.pick([one, two]);
        if (random.chance(0.15)) ({ incarnation } = await store.takeConductor(model, who, noAbort));
        const fenced = incarnation > 1 && random.chance(0.2);
        const added = Array.from({ length: 1 + random.integer(3) }, (_, index) => record(last + 1 + index));
        const writing = store.appendJournal(model, who, incarnation - (fenced ? 1 : 0), added, noAbort);
        if (fenced) {
          await rejection(writing, FencedError);
        } else {
          await writing;
          records.push(...added);
          last += added.length;
        }
        if (records.length > 1 && random.chance(0.1)) {
          const upTo = random.pick(records).sequence;
          await store.compactJournal(model, who, incarnation, upTo, record(upTo, "summary"), noAbort);
          records = [record(upTo, "summary"), ...records.filter((each) => each.sequence > upTo)];
        }
        expect(await random.pick([one, two]).readJournal(model, who, 0, 1_000, noAbort)).toEqual(records);
      }
    });
  });
}
