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
} from "../testing/random-model.ts";
import { kindId } from "./ids.ts";
import type { Kind } from "./kind.ts";
import { emptyState, kindOf, referrersOf, replaceEntities, withKinds, type ModelState } from "./state.ts";

const plain = (state: ModelState): unknown => [[...state.entities.entries()], [...state.referrers.entries()]];

it("keeps who refers to whom as a rebuild from the entities would find it", () => {
  fc.assert(
    fc.property(versionsOf(5), (versions) => {
      const state = fold(versions);
      const rebuilt = replaceEntities(emptyState(), state.entities.entries(), state.version);
      expect(plain(rebuilt)).toEqual(plain(state));
    }),
  );
});

it("leaves an older version as it was", () => {
  fc.assert(
    fc.property(versionsOf(4), versionsOf(2), (versions, more) => {
      const state = fold(versions);
      const before = JSON.stringify(plain(state));
      fold([...versions, ...more]);
      expect(JSON.stringify(plain(state))).toBe(before);
    }),
  );
});

it("keeps an entity's identity while it lives, and gives a new one when it is made again", () => {
  const versions = [
    { "stream/a": stream },
    { "stream/a": put({ schema: false }) },
    { "stream/a": remove },
    { "stream/a": stream },
  ];
  const at = (version: number): unknown => {
    const entity = modelOf(...versions.slice(0, version)).entities.get("stream/a");
    return entity && [entity.createdVersion, entity.changedVersion];
  };
  expect([1, 2, 3, 4].map(at)).toEqual([[1, 1], [1, 2], undefined, [4, 4]]);
});

it("names who refers to an entity, with what for", () => {
  const state = modelOf({
    "stream/a": stream,
    "stream/b": stream,
    "query/q": query("a", "b"),
    "query/r": query("b", "b"),
  });
  expect([...referrersOf(state, "stream/b")]).toEqual([
    { source: "query/q", flows: 4 },
    { source: "query/r", flows: 6 },
  ]);
});

it("finds other references when a kind's change, in its entities only", () => {
  const state = modelOf({ "stream/a": stream, "query/q": query("a", "a", "t") });
  const kind: Kind = {
    ...(builtInKinds.get("query") as Kind),
    references: [{ path: "tables[]", kind: kindId("table"), flow: "uses" }],
  };
  const after = withKinds(state, builtInKinds, new Map([...builtInKinds, ["query", kind]]));
  expect([...after.referrers.entries()]).toEqual([["table/t query/q", 1]]);
  expect(withKinds(after, new Map([...builtInKinds, ["query", kind]]), builtInKinds).referrers.size).toBe(
    state.referrers.size,
  );
  expect(kindOf("query/q")).toBe("query");
});
