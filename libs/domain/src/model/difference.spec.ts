import fc from "fast-check";
import { expect, it } from "vitest";
import { builtInKinds, fold, modelOf, put, remove, stream, versionsOf } from "../testing/random-model.ts";
import { changesTo, differences } from "./difference.ts";
import { applyChanges, type ModelState } from "./state.ts";

const specs = (state: ModelState): unknown =>
  [...state.entities.entries()].map(([key, { specJson }]) => [key, specJson]);

it("lists what was created, updated and deleted, in order, and goes on behind any key", () => {
  const before = modelOf({ "stream/a": stream, "stream/b": stream, "stream/c": stream });
  const after = applyChanges(
    before,
    Object.entries({ "stream/b": put({ schema: false }), "stream/c": remove, "stream/d": stream }),
    2,
    builtInKinds,
  );
  const list = [...differences(before, after)].map(({ entity, kind }) => [entity, kind]);
  expect(list).toEqual([
    ["stream/b", "update"],
    ["stream/c", "delete"],
    ["stream/d", "create"],
  ]);
  expect([...differences(before, after, "stream/b")].map(({ entity }) => entity)).toEqual([
    "stream/c",
    "stream/d",
  ]);
  expect([...differences(after, after)]).toEqual([]);
});

it("goes forward to an older version's content", () => {
  fc.assert(
    fc.property(versionsOf(6), fc.nat(6), (versions, to) => {
      const head = fold(versions);
      const old = fold(versions.slice(0, to));
      const restored = applyChanges(head, changesTo(head, old).entries(), head.version + 1, builtInKinds);
      expect(specs(restored)).toEqual(specs(old));
      expect(changesTo(restored, old).size).toBe(0);
    }),
  );
});
