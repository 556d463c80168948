/** Rows: bound to their seq for ever, gapless to readers, retained from a first one on. */
import type { DataEntry, Entry, LaneId, MarkerEntry } from "@greco/domain/lane";
import { expect } from "vitest";
import { BelowRetentionError, type LaneStore } from "../lane-store.ts";
import { bytes, forSeeds, type Harness, noAbort, rejection, type Setup, tester } from "./harness.ts";
import {
  append,
  at,
  data,
  lane,
  laneInfo,
  marker,
  model,
  payloadAt,
  query,
  seqsFrom,
  writer,
} from "./lane-store.helpers.ts";
import type { Random } from "./random.ts";

const SEQS = 60;

/** Appends that come out of order, overlap and repeat, with trims between, against an array. */
async function runLane(harness: Harness<LaneStore>, random: Random, id: LaneId): Promise<void> {
  await using one = await harness.open();
  await using two = await harness.open();
  await one.registerLane(laneInfo({ id }), noAbort);
  const stored = new Set<number>();
  let first = 1;
  const parts: number[][] = [];
  for (let from = 1; from <= SEQS; from += (parts.at(-1) as number[]).length)
    parts.push(
      Array.from({ length: Math.min(1 + random.integer(6), SEQS - from + 1) }, (_, index) => from + index),
    );
  const nearby = parts.map((part, index) => ({ part, order: index + random.next() * 6 }));
  for (const { part } of nearby.toSorted((a, b) => a.order - b.order)) {
    const store = random.pick([one, two]);
    for (let times = random.chance(0.2) ? 2 : 1; times > 0; times--)
      await store.append(model, [{ lane: id, entries: part.map((seq) => data(seq)) }], noAbort);
    for (const seq of part) if (seq >= first) stored.add(seq);
    if (random.chance(0.15)) {
      first = Math.max(first, tailOf(stored, first) - random.integer(5));
      const below = [...stored].filter((seq) => seq < first);
      expect(await store.trim(model, id, at(first), noAbort)).toBe(below.length);
      for (const seq of below) stored.delete(seq);
    }
    await checkLane(random.pick([one, two]), id, stored, first, random);
  }
}

function tailOf(stored: ReadonlySet<number>, first: number): number {
  let tail = first - 1;
  while (stored.has(tail + 1)) tail++;
  return tail;
}

async function checkLane(
  store: LaneStore,
  id: LaneId,
  stored: ReadonlySet<number>,
  first: number,
  random: Random,
): Promise<void> {
  const tail = tailOf(stored, first);
  expect(await store.tail(model, id, noAbort)).toBe(tail);
  const from = first + random.integer(Math.max(1, tail - first + 2));
  const read = await store.read(model, id, at(from), SEQS, noAbort);
  expect(read.entries).toEqual(
    Array.from({ length: Math.max(0, tail - from + 1) }, (_, index) => data(from + index)),
  );
  expect(read.state.firstRetained).toBe(first);
  const atMost = first + random.integer(SEQS);
  const below = [...stored].filter((seq) => seq <= atMost).toSorted((a, b) => b - a);
  const newest = await store.readBackwards(model, id, at(atMost), 4, noAbort);
  expect(newest.map((entry) => entry.seq)).toEqual(below.slice(0, 4));
}

export function rowTests(setup: Setup<LaneStore>): void {
  const test = tester(setup);

  test("gives back what was appended, in every form that it has", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    const source = { query, lane: "input" as LaneId, seq: at(7) };
    const forwarded: MarkerEntry = { ...marker(3, 2), source };
    const full: DataEntry = {
      ...data(4, "", 2),
      key: "Zürich \u{1f600} \u0000 '\"",
      producer: { id: "sensor-1", seq: Number.MAX_SAFE_INTEGER },
      source: { ...source, index: 0 },
    };
    const empty: DataEntry = { ...data(5, "", 2), key: "", payload: new Uint8Array() };
    const large: DataEntry = { ...data(6, "", 2), payload: bytes("x".repeat(1_000_000)) };
    const entries: Entry[] = [marker(1, 1), data(2), forwarded, full, empty, large];
    await append(store, ...entries);
    expect((await store.read(model, lane, at(1), 10, noAbort)).entries).toEqual(entries);
    expect(await store.readBackwards(model, lane, at(6), 10, noAbort)).toEqual(entries.toReversed());
  });

  test("R1: takes the same content for a seq again, and never replaces it by another", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    await append(store, data(1, "first"), data(2, "first"));
    await append(store, data(1, "first"), data(2, "first"), data(3, "first"));
    // Refused or left aside, the second content does not stand.
    await Promise.allSettled([append(store, data(2, "second"))]);
    await Promise.allSettled([append(store, marker(3, 9))]);
    const stand = [await payloadAt(store, 1), await payloadAt(store, 2), await payloadAt(store, 3)];
    expect(stand).toEqual(Array.from({ length: 3 }, () => JSON.stringify({ value: "first" })));
  });

  test("R1: of two who bind one seq at once, one content stands for both", async (store, harness) => {
    await using other = await harness.open();
    await store.registerLane(laneInfo(), noAbort);
    const outcomes = await Promise.allSettled([
      append(store, data(1, "one"), data(2, "one")),
      append(other, data(1, "two"), data(2, "two")),
    ]);
    const [first, second] = [await payloadAt(store, 1), await payloadAt(other, 1)];
    expect(first).toBe(second);
    expect(outcomes.some((outcome) => outcome.status === "fulfilled")).toBe(true);
  });

  test("appends to a lane all of a call or nothing", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    await append(store, data(2, "there"));
    const [outcome] = await Promise.allSettled([append(store, data(1), data(2, "other"), data(3))]);
    const { length } = await seqsFrom(store);
    expect(length).toBe(outcome?.status === "fulfilled" ? 3 : 0);
  });

  test("R1: shows readers what stands before the first gap, and the rest when it is filled", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    expect([await store.tail(model, lane, noAbort), await seqsFrom(store)]).toEqual([0, []]);
    await append(store, data(1), data(2));
    await append(store, data(5), data(6));
    await append(store, data(9));
    expect([await store.tail(model, lane, noAbort), await seqsFrom(store)]).toEqual([2, [1, 2]]);
    expect(await seqsFrom(store, 3)).toEqual([]);
    await append(store, data(4));
    expect(await store.tail(model, lane, noAbort)).toBe(2);
    await append(store, data(3));
    expect([await store.tail(model, lane, noAbort), await seqsFrom(store, 2)]).toEqual([6, [2, 3, 4, 5, 6]]);
    await append(store, data(7), data(8));
    expect([await store.tail(model, lane, noAbort), await seqsFrom(store, 9)]).toEqual([9, [9]]);
  });

  test("reads no more than asked, and goes on from there", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    await append(store, ...Array.from({ length: 10 }, (_, index) => data(index + 1)));
    expect(await seqsFrom(store, 1, 3)).toEqual([1, 2, 3]);
    expect(await seqsFrom(store, 4, 3)).toEqual([4, 5, 6]);
    expect(await seqsFrom(store, 10, 3)).toEqual([10]);
    expect(await seqsFrom(store, 11, 3)).toEqual([]);
    const newest = await store.readBackwards(model, lane, at(8), 3, noAbort);
    expect(newest.map((entry) => entry.seq)).toEqual([8, 7, 6]);
  });

  test("reads from any seq on, forwards and backwards, wherever an append begins", async (_store, harness) => {
    let lanes = 0;
    await forSeeds(async (random) => {
      await using writing = await harness.open();
      await using reading = await harness.open();
      const id = `uneven-${++lanes}` as LaneId;
      await writing.registerLane(laneInfo({ id }), noAbort);
      let last = 0;
      while (last < 300) {
        const count = 1 + random.integer(random.chance(0.1) ? 60 : 6);
        const entries = Array.from({ length: count }, (_, index) => data(last + 1 + index));
        await writing.append(model, [{ lane: id, entries }], noAbort);
        last += count;
        // Who waits at the end sees the next append, wherever it begins and ends.
        const { entries: seen } = await reading.read(model, id, at(last + 1 - count), 100, noAbort);
        expect(seen).toEqual(entries);
        expect((await reading.read(model, id, at(last + 1), 100, noAbort)).entries).toEqual([]);
      }
      for (let turn = 0; turn < 20; turn++) {
        const from = 1 + random.integer(last);
        const limit = 1 + random.integer(80);
        await using fresh = await harness.open();
        const store = turn % 5 === 0 ? fresh : reading;
        const above = Math.min(limit, last - from + 1);
        expect((await store.read(model, id, at(from), limit, noAbort)).entries).toEqual(
          Array.from({ length: above }, (_, index) => data(from + index)),
        );
        expect(await store.readBackwards(model, id, at(from), limit, noAbort)).toEqual(
          Array.from({ length: Math.min(limit, from) }, (_, index) => data(from - index)),
        );
      }
      expect(await reading.tail(model, id, noAbort)).toBe(last);
      const far = at(Number.MAX_SAFE_INTEGER);
      expect(await reading.readBackwards(model, id, far, 2, noAbort)).toEqual([data(last), data(last - 1)]);
    });
  });

  test("R1: of the same rows sent twice at once, by two, each stands once", async (store, harness) => {
    await using other = await harness.open();
    await store.registerLane(laneInfo(), noAbort);
    await Promise.all([store, other, store].map((handle) => append(handle, data(1), data(2), data(3))));
    expect(await seqsFrom(store)).toEqual([1, 2, 3]);
  });

  test("comes through lanes of large entries, some at a time", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    const large = (seq: number): DataEntry => ({ ...data(seq), payload: new Uint8Array(900_000).fill(seq) });
    for (let seq = 1; seq <= 12; seq++) await append(store, large(seq));
    const seen: number[] = [];
    for (let from = 1; ;) {
      const some = await seqsFrom(store, from, 100);
      if (some.length === 0) break;
      seen.push(...some);
      from = (some.at(-1) as number) + 1;
    }
    expect(seen).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  });

  test("R2: tells with the entries what stood not before them: state and lease", async (store, harness) => {
    await using other = await harness.open();
    await store.registerLane(laneInfo(), noAbort);
    const look = async () => store.read(model, lane, at(1), 10, noAbort);
    expect(await look()).toMatchObject({ state: { closeRequested: false }, lease: undefined });
    const { count } = await other.createLease(model, writer, noAbort);
    await append(other, data(1));
    await other.requestClose(model, lane, noAbort);
    expect(await look()).toMatchObject({ state: { closeRequested: true }, lease: { count, state: "held" } });
    await other.closeLease(model, writer, count, noAbort);
    await other.endLane(model, lane, at(1), noAbort);
    const { state, lease, entries } = await look();
    expect([entries.length, state.end, lease?.state]).toEqual([1, 1, "closing"]);
  });

  test("keeps lanes of one id in two models apart", async (store) => {
    const elsewhere = laneInfo({ model: "elsewhere" as typeof model });
    await store.registerLane(laneInfo(), noAbort);
    await store.registerLane(elsewhere, noAbort);
    await append(store, data(1, "here"));
    await store.append(elsewhere.model, [{ lane, entries: [data(1, "there"), data(2)] }], noAbort);
    expect(await payloadAt(store, 1)).toBe(JSON.stringify({ value: "here" }));
    expect(await store.tail(elsewhere.model, lane, noAbort)).toBe(2);
  });

  test("R3: says that what is below retention is gone, and from where there is something", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    await append(store, ...Array.from({ length: 9 }, (_, index) => data(index + 1)));
    expect(await store.trim(model, lane, at(4), noAbort)).toBe(3);
    const error = await rejection(store.read(model, lane, at(3), 10, noAbort), BelowRetentionError);
    expect(error.firstRetained).toBe(4);
    expect(await seqsFrom(store, 4)).toEqual([4, 5, 6, 7, 8, 9]);
    // Retention only moves on.
    expect(await store.trim(model, lane, at(2), noAbort)).toBe(0);
    expect((await store.getLane(model, lane, noAbort))?.state.firstRetained).toBe(4);
    const newest = await store.readBackwards(model, lane, at(9), 100, noAbort);
    expect(newest.at(-1)?.seq).toBe(4);
  });

  test("R3: knows where a lane stands whose every row is past retention", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    await append(store, data(1), data(2), data(3));
    await store.trim(model, lane, at(4), noAbort);
    // A repeat that was long under way brings nothing back.
    await append(store, data(2), data(3));
    expect([await store.tail(model, lane, noAbort), await seqsFrom(store, 4)]).toEqual([3, []]);
    expect(await store.readBackwards(model, lane, at(9), 9, noAbort)).toEqual([]);
    expect(await store.trim(model, lane, at(4), noAbort)).toBe(0);
    await append(store, data(4));
    expect([await store.tail(model, lane, noAbort), await seqsFrom(store, 4)]).toEqual([4, [4]]);
  });

  test("R3: drops very many rows while their lane goes on", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    for (let from = 1; from <= 3_000; from += 500)
      await append(store, ...Array.from({ length: 500 }, (_, index) => data(from + index)));
    const trimming = store.trim(model, lane, at(2_900), noAbort);
    await append(store, data(3_001));
    expect(await trimming).toBe(2_899);
    const seqs = await seqsFrom(store, 2_900);
    expect([seqs[0], seqs.at(-1)]).toEqual([2_900, 3_001]);
  });

  test("I8: has every row that it acknowledged, of many lanes at once through several handles", async (store, harness) => {
    await using other = await harness.open();
    const lanes = Array.from({ length: 8 }, (_, index) => `lane-${index}` as LaneId);
    for (const id of lanes) await store.registerLane(laneInfo({ id }), noAbort);
    const write = async (id: LaneId, index: number): Promise<void> => {
      const handle = index % 2 === 0 ? store : other;
      for (let seq = 1; seq <= 40; seq += 2)
        await handle.append(model, [{ lane: id, entries: [data(seq, id), data(seq + 1, id)] }], noAbort);
    };
    await Promise.all(lanes.map(write));
    for (const id of lanes) {
      const { entries } = await other.read(model, id, at(1), 100, noAbort);
      expect(entries).toEqual(Array.from({ length: 40 }, (_, index) => data(index + 1, id)));
    }
  });

  test("R1, R3: reads as an array would, however appends overlap, repeat and overtake each other", async (_store, harness) => {
    let lanes = 0;
    await forSeeds((random) => runLane(harness, random, `lane-${++lanes}` as LaneId));
  });
}
