import fc from "fast-check";
import { expect, it } from "vitest";
import {
  builtInKinds,
  fold,
  modelOf,
  put,
  query,
  remove,
  stream,
  versionsOf,
  type Lines,
} from "../testing/random-model.ts";
import { affectedBy, cyclesFrom, scopeOf, type Graphs } from "./graph.ts";
import { applyChanges, type ModelState } from "./state.ts";

const base: Lines = {
  "stream/raw": stream,
  "stream/clean": stream,
  "stream/paid": stream,
  "stream/other": stream,
  "table/bands": put({ key: "id", schema: true, rows: [] }),
  "query/clean": query("raw", "clean"),
  "query/pay": query("clean", "paid", "bands"),
};

function changed(lines: Lines): { affected: readonly string[]; scope: readonly string[] } {
  const before = modelOf(base);
  const after = applyChanges(before, Object.entries(lines), 2, builtInKinds);
  const affected = affectedBy({ before, after }, Object.keys(lines));
  return { affected, scope: scopeOf({ before, after }, Object.keys(lines), affected, builtInKinds) };
}

it("affects what changes and what refers to it, and marks the streams read and all downstream", () => {
  expect(changed({ "table/bands": put({ key: "id", schema: true, rows: [{}] }) })).toEqual({
    affected: ["query/pay", "table/bands"],
    scope: ["stream/clean@1", "stream/paid@1"],
  });
  expect(changed({ "query/clean": query("raw", "clean", "bands") })).toEqual({
    affected: ["query/clean"],
    scope: ["stream/clean@1", "stream/paid@1", "stream/raw@1"],
  });
  expect(changed({ "stream/other": put({ schema: false }) })).toEqual({
    affected: ["stream/other"],
    scope: ["stream/other@1"],
  });
});

it("looks at both graphs: a query that moves marks where it was and where it goes", () => {
  expect(changed({ "query/pay": query("other", "new"), "stream/new": stream })).toEqual({
    affected: ["query/pay", "stream/new"],
    scope: ["stream/clean@1", "stream/new@2", "stream/other@1", "stream/paid@1"],
  });
});

it("marks a deleted stream by the identity that it had", () => {
  const { affected, scope } = changed({ "stream/paid": remove, "query/pay": remove });
  expect(affected).toEqual(["query/pay", "stream/paid"]);
  expect(scope).toEqual(["stream/clean@1", "stream/paid@1"]);
});

it("names a cycle in the direction of the data", () => {
  const state = modelOf(base, { "query/back": query("paid", "raw") });
  const cycle = ["query/back", "stream/raw", "query/clean", "stream/clean", "query/pay", "stream/paid"];
  expect(cyclesFrom(state, ["query/back"], 9)).toEqual([cycle]);
  expect(cyclesFrom(modelOf({ "stream/a": stream, "query/q": query("a", "a") }), ["query/q"], 9)).toEqual([
    ["query/q", "stream/a"],
  ]);
});

it("finds a cycle through a chain of 20,000 queries, which recursion would not survive", () => {
  const lines: Record<string, ReturnType<typeof query>> = {};
  for (let n = 0; n < 20_000; n++) {
    lines[`stream/s${n}`] = stream;
    lines[`query/q${n}`] = query(`s${n}`, `s${(n + 1) % 20_000}`);
  }
  expect(cyclesFrom(modelOf(lines), ["query/q7"], 9)[0]).toHaveLength(40_000);
});

/** The slow and obvious way: follow every edge of the whole graph. */
function hasCycle(state: ModelState): boolean {
  const next = (key: string): string[] => [
    ...(state.entities.get(key)?.references ?? [])
      .filter(({ flow }) => flow === "writes")
      .map(({ target }) => target),
    ...[...state.entities.entries()]
      .filter(([, entity]) =>
        entity.references.some(({ target, flow }) => flow === "reads" && target === key),
      )
      .map(([reader]) => reader),
  ];
  const reaches = (start: string): boolean => {
    const seen = new Set(next(start));
    for (const key of seen) for (const other of next(key)) seen.add(other);
    return seen.has(start);
  };
  return [...state.entities.entries()].some(([key]) => reaches(key));
}

it("finds a cycle from what changed exactly if there is one, when there was none before", () => {
  fc.assert(
    fc.property(versionsOf(4), (versions) => {
      let state = fold([]);
      for (const changes of versions) {
        const after = applyChanges(state, changes.entries(), state.version + 1, builtInKinds);
        const keys = [...changes.entries()].map(([key]) => key);
        expect(cyclesFrom(after, keys, 1).length > 0).toBe(hasCycle(after));
        if (!hasCycle(after)) state = after;
      }
    }),
  );
});

it("has in scope every stream whose messages another binding would meet", () => {
  fc.assert(
    fc.property(versionsOf(4), (versions) => {
      const before = fold(versions.slice(0, -1));
      const after = fold(versions);
      const graphs: Graphs = { before, after };
      const keys = [...(versions.at(-1)?.entries() ?? [])].map(([key]) => key);
      const affected = affectedBy(graphs, keys);
      const scope = scopeOf(graphs, keys, affected, builtInKinds).map((identity) => identity.split("@")[0]);
      for (const state of [before, after])
        for (const [key, { references }] of state.entities.entries()) {
          const reads = references
            .filter(({ flow }) => flow === "reads")
            .map(({ target }) => target as string);
          const writes = references
            .filter(({ flow }) => flow === "writes")
            .map(({ target }) => target as string);
          const known = (target: string): boolean =>
            after.entities.has(target) || before.entities.has(target);
          if (affected.includes(key as never))
            for (const target of reads.filter(known)) expect(scope).toContain(target);
          if (reads.some((target) => scope.includes(target)))
            for (const target of writes.filter(known)) expect(scope).toContain(target);
        }
    }),
  );
});
