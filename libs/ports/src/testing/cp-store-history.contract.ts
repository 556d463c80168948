/** Random histories of transactions, compared with a model step by step and again afterwards. */
import { expect } from "vitest";
import { CompactedError, type CpStore, type ReadOptions, type WatchEvent } from "../cp-store.ts";
import { type CpStoreModel, cpStoreModel, revisionOf } from "./cp-store-model.ts";
import {
  eventsUpTo,
  putOf,
  randomRange,
  randomTransaction,
  readOne,
  revisionNow,
  sortedEvents,
} from "./cp-store.helpers.ts";
import { forSeeds, type Harness, noAbort, rejection, type Setup, tester, text } from "./harness.ts";
import type { Random } from "./random.ts";

const TRANSACTIONS = 150;
const PROBES = 40;

async function checkRange(
  store: CpStore,
  model: CpStoreModel,
  random: Random,
  revision: number,
): Promise<void> {
  const range = randomRange(random);
  const options: ReadOptions = {
    revision,
    descending: random.chance(0.5),
    keysOnly: random.chance(0.3),
    ...(random.chance(0.3) ? { limit: 1 + random.integer(4) } : {}),
  };
  const { entries, more } = await store.range(range, options, noAbort);
  expect({ entries, more }, JSON.stringify({ range, options })).toEqual(model.range(range, options));
}

/** A watch from a random revision. Its range gets a last write, so that it need not wait for a mark. */
async function checkWatch(store: CpStore, model: CpStoreModel, random: Random, from: number): Promise<void> {
  const range = randomRange(random);
  const last = putOf("key" in range ? range.key : `${range.prefix}\u{10fffd}`, "last");
  const after = from + random.integer(model.revision - from);
  const write = { compare: [], then: [last] };
  expect(await store.transact(write, noAbort)).toEqual(model.transact(write));
  const expected = sortedEvents(model.eventsAfter(after, range));
  // Nothing can stand in it: its end lies before its beginning.
  if (expected.at(-1) === undefined || revisionOf(expected.at(-1) as WatchEvent) < model.revision) return;
  const events = await eventsUpTo(store, range, after, model.revision);
  expect(events, JSON.stringify({ range, after })).toEqual(expected);
}

/** The store as it stands, as it stood at random revisions, and its watches from random revisions. */
async function checkAll(store: CpStore, model: CpStoreModel, random: Random, from: number): Promise<void> {
  for (let probe = 0; probe < PROBES; probe++)
    await checkRange(store, model, random, from + random.integer(model.revision - from + 1));
  for (let probe = 0; probe < 4; probe++) await checkWatch(store, model, random, from);
}

async function runHistory(store: CpStore, harness: Harness<CpStore>, random: Random): Promise<void> {
  const start = (
    await store.transact({ compare: [], then: [{ type: "delete", range: { prefix: "" } }] }, noAbort)
  ).revision;
  await using other = await harness.open();
  const model = cpStoreModel(start);
  for (let turn = 0; turn < TRANSACTIONS; turn++) {
    const transaction = randomTransaction(random, model.revision);
    const result = await random.pick([store, other]).transact(transaction, noAbort);
    expect(result, `transaction ${turn}`).toEqual(model.transact(transaction));
  }
  await checkAll(store, model, random, start);
  await using again = await harness.open();
  await checkAll(again, model, random, start);
  const middle = start + Math.ceil((model.revision - start) / 2);
  await store.compact(middle, noAbort);
  await checkAll(other, model, random, middle);
  await rejection(again.range({ prefix: "" }, { revision: middle - 1 }, noAbort), CompactedError);
}

export function historyTests(setup: Setup<CpStore>): void {
  const test = tester(setup);

  test("I3: answers as the model does, now, at every revision, to every watch, and after compaction", async (store, harness) => {
    await forSeeds((random) => runHistory(store, harness, random));
  });

  test("I2: loses no increment of writers who compare and swap at once, and a watch sees them all", async (store, harness) => {
    await using other = await harness.open();
    const start = await revisionNow(store);
    const watched = eventsUpTo(other, { key: "count" }, start, start + 40);
    const increment = async (handle: CpStore): Promise<void> => {
      for (let done = 0; done < 10;) {
        const entry = await readOne(handle, "count");
        const next = Number(text(entry?.value ?? new Uint8Array())) + 1;
        const compare = [
          { key: "count", target: "modRevision", is: "=", value: entry?.modRevision ?? 0 },
        ] as const;
        const { succeeded } = await handle.transact(
          { compare, then: [putOf("count", String(next))] },
          noAbort,
        );
        if (succeeded) done++;
      }
    };
    await Promise.all([store, other, store, other].map(increment));
    const values = (await watched).map((event) =>
      event.type === "put" ? Number(text(event.entry.value)) : 0,
    );
    expect(values).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  });
}
