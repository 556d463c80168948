import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { candidateId, epoch } from "@greco/domain/model";
import { createBindingReader, followLedger } from "@greco/lane-kit";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HoldError, QueryCatalog, readsOfQuery } from "./query-catalog.ts";
import type { Changes } from "./testing/small-model.ts";
import { MODEL, SmallModel } from "./testing/small-model.ts";
import { directLog } from "./testing/world.ts";

let clock: SimulatedClock;
let stack: AsyncDisposableStack;
let model: SmallModel;
let catalog: QueryCatalog;
let refresh: (floor?: number) => Promise<void>;
let forget: (at: number, kind: string, name: string) => Promise<void>;
const { signal } = new AbortController();

beforeEach(async () => {
  clock = simulatedClock();
  stack = new AsyncDisposableStack();
  const laneStore = stack.use(await openEmbeddedLaneStore({ path: ":memory:", clock }));
  const bindingStore = stack.use(await openEmbeddedBindingStore({ path: ":memory:", clock }));
  const wake = stack.use(createEmbeddedWake());
  model = new SmallModel({ laneStore, bindingStore, wake });
  const ledger = stack.use(
    await followLedger({ laneStore, wake, clock, log: directLog([]), model: MODEL }, signal),
  );
  const bindings = createBindingReader({ bindingStore, model: MODEL, keptChars: 0 });
  catalog = new QueryCatalog({ ledger, bindings, kinds: ["query"], reads: readsOfQuery, signal });
  refresh = async (floor = 0) => {
    await ledger.refresh(signal);
    await catalog.refresh(epoch(floor));
  };
  forget = (at, kind, name) =>
    bindingStore.deleteBinding(MODEL, model.identity(kind, name), candidateId(`c${at}`), signal);
});
afterEach(() => stack.disposeAsync());

async function commit(changes: Changes): Promise<void> {
  await model.commit(changes, signal);
}
const ranges = () => catalog.ranges().map(({ query, stream, since, until }) => [query, stream, since, until]);

it("knows from when to when a query reads a stream, whatever turns it", async () => {
  await commit({ streams: { s: {}, t: {}, u: {} }, queries: { a: { from: "s", to: "t", v: 1 } } });
  await commit({ queries: { a: { from: "s", to: "u", v: 2 } } });
  await commit({ queries: { a: { from: "u", to: "t", v: 3 } } });
  await commit({ queries: { a: { from: "s", to: "t", v: 4 } } });
  await commit({ queries: { a: null } });
  await refresh();
  expect(ranges()).toEqual([
    ["query/a@1", "stream/s@1", 1, 3],
    ["query/a@1", "stream/u@1", 3, 4],
    ["query/a@1", "stream/s@1", 4, 5],
  ]);
});

it("takes a stream that is removed and made again for another one", async () => {
  await commit({ streams: { s: {}, t: {} }, queries: { a: { from: "s", to: "t", v: 1 } } });
  await refresh();
  await commit({ streams: { s: null } });
  await commit({ streams: { s: {} } });
  await refresh();
  expect(ranges()).toEqual([
    ["query/a@1", "stream/s@1", 1, 2],
    ["query/a@1", "stream/s@3", 3, undefined],
  ]);
});

it("says for each epoch what is to be done with a stream's messages", async () => {
  await commit({ streams: { s: {}, t: { retentionMs: 5 } } });
  await commit({ queries: { a: { from: "s", to: "t", v: 1, tables: ["k"] } }, tables: { k: { v: 1 } } });
  await commit({ tables: { k: { v: 2 } } });
  await commit({ streams: { u: {} } });
  await commit({ queries: { a: null } });
  await refresh();
  const query = model.identity("query", "a");
  const stream = model.identity("stream", "s");
  const duties = await Promise.all([1, 2, 3, 4, 5].map((at) => catalog.dutyAt(query, stream, epoch(at))));
  const programs = duties.map((duty) => (typeof duty === "string" ? duty : duty.program.id));
  expect(programs[0]).toBe("idle");
  expect(programs[4]).toBe("over");
  // A table's new content is a new program; an epoch that changes neither is not.
  expect(new Set(programs.slice(1, 4)).size).toBe(2);
  expect(programs[2]).toBe(programs[3]);
  expect(duties[1]).toMatchObject({ to: { stream: "stream/t@1", retentionMs: 5 } });
  expect(await catalog.dutyAt(query, model.identity("stream", "t"), epoch(2))).toBe("idle");
});

it("I12: says what is missing instead of taking something older", async () => {
  await commit({ streams: { s: {}, t: {} }, queries: { a: { from: "s", to: "t", v: 1 } } });
  await model.commit({ queries: { a: { from: "s", to: "t", v: 2 } } }, signal, { withhold: ["a"] });
  await refresh();
  expect(catalog.unresolved).toEqual(["query/a@1"]);
  const duty = () => catalog.dutyAt(model.identity("query", "a"), model.identity("stream", "s"), epoch(2));
  await expect(duty()).rejects.toThrow(/query\/a@1/);
  await model.repair(2, "query", "a", signal);
  await refresh();
  expect(catalog.unresolved).toEqual([]);
  expect(await duty()).toMatchObject({ program: { query: expect.stringContaining('"v":2') as string } });
});

it("does without bindings that were retired, below the floor, and only there", async () => {
  await commit({ streams: { s: {}, t: {} }, queries: { a: { from: "s", to: "t", v: 1 } } });
  await commit({ queries: { a: { from: "s", to: "t", v: 2 } } });
  await forget(1, "query", "a");
  await refresh(1);
  expect(catalog.unresolved).toEqual(["query/a@1"]);
  await refresh(2);
  expect(catalog.unresolved).toEqual([]);
  expect(ranges()).toEqual([["query/a@1", "stream/s@1", 2, undefined]]);
});

it("holds for a query whose stream or table the model lacks, or whose binding is no query's", async () => {
  await commit({ streams: { s: {} }, queries: { a: { from: "s", to: "nowhere", v: 1 } } });
  await commit({ queries: { b: { from: "s", v: 1, tables: ["none"] } } });
  await refresh();
  const stream = model.identity("stream", "s");
  const holding = (name: string) => catalog.dutyAt(model.identity("query", name), stream, epoch(2));
  await expect(holding("a")).rejects.toThrow(HoldError);
  await expect(holding("b")).rejects.toThrow("table/none");
  expect(() => readsOfQuery('{"from":1}')).toThrow("missing");
});
