import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson, type JsonObject, type JsonValue } from "./json.ts";
import { mergeThree, type Merged, type Side } from "./merge.ts";

const none = (): undefined => undefined;
const clean = (value: unknown): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

/** Few names and values, so that the sides meet. */
const spec = fc
  .letrec<{ node: unknown; object: unknown }>((tie) => ({
    node: fc.oneof({ depthSize: "small" }, fc.nat(2), fc.array(fc.nat(2), { maxLength: 2 }), tie("object")),
    object: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("node"), { maxKeys: 3 }),
  }))
  .object.map(clean);

const merge = (base: JsonValue, draft: JsonValue, head: JsonValue, side?: Side): Merged =>
  mergeThree({ base, draft, head }, {}, () => side);
const text = (merged: Merged): string => canonicalJson(merged.value as JsonValue);

it("takes over what only one side changed, and what both changed alike", () => {
  fc.assert(
    fc.property(spec, spec, (base, other) => {
      expect(merge(base, base, other)).toEqual({ value: other, conflicts: [] });
      expect(merge(base, other, base)).toEqual({ value: other, conflicts: [] });
      expect(merge(base, other, other)).toEqual({ value: other, conflicts: [] });
    }),
  );
});

it("gives the same, whichever side is called the draft", () => {
  fc.assert(
    fc.property(spec, spec, spec, (base, draft, head) => {
      const one = merge(base, draft, head);
      const two = merge(base, head, draft);
      expect(two.conflicts.map(({ path }) => path).toSorted()).toEqual(
        one.conflicts.map(({ path }) => path).toSorted(),
      );
      if (one.conflicts.length === 0) expect(text(two)).toBe(text(one));
    }),
  );
});

it("never takes a side by itself: every value of the result stands on the side that changed it", () => {
  fc.assert(
    fc.property(spec, spec, spec, (base, draft, head) => {
      const byDraft = merge(base, draft, head, "draft");
      const byHead = merge(base, draft, head, "head");
      expect([byDraft.conflicts, byHead.conflicts]).toEqual([[], []]);
      const { conflicts } = merge(base, draft, head);
      // The two resolutions differ exactly where a conflict was listed.
      expect(text(byDraft) === text(byHead)).toBe(conflicts.length === 0);
      for (const conflict of conflicts) expect(conflict.draft).not.toEqual(conflict.head);
    }),
  );
});

it("merges what was merged once more to the same", () => {
  fc.assert(
    fc.property(spec, spec, spec, (base, draft, head) => {
      const first = merge(base, draft, head, "draft").value as JsonValue;
      // On the head that it was merged with, the result has nothing left to merge.
      expect(merge(head, first, head).value).toEqual(first);
    }),
  );
});

it("lists a conflict with its place and all three sides", () => {
  const merged = mergeThree(
    {
      base: { select: { "a.b": "1", c: "1" } },
      draft: { select: { "a.b": "2" } },
      head: { select: { "a.b": "3", c: "4" } },
    },
    {},
    none,
  );
  expect(merged.conflicts).toEqual([
    { path: 'select["a.b"]', base: "1", draft: "2", head: "3" },
    { path: "select.c", base: "1", draft: undefined, head: "4" },
  ]);
});

const listSchema = clean({
  properties: { rows: { type: "array", "x-greco-list-key": "id", items: { $ref: "#/$defs/row" } } },
  $defs: { row: { properties: { tags: { type: "array", "x-greco-list-key": "name" } } } },
});

it("takes an array as one value unless its schema names a list key", () => {
  const three = {
    base: { rows: [{ id: 1, x: 1 }] },
    draft: { rows: [{ id: 1, x: 2 }] },
    head: { rows: [{ id: 1, x: 1 }, { id: 2 }] },
  };
  expect(mergeThree(three, {}, none).conflicts.map(({ path }) => path)).toEqual(["rows"]);
  expect(mergeThree(three, listSchema, none)).toEqual({
    value: { rows: [{ id: 1, x: 2 }, { id: 2 }] },
    conflicts: [],
  });
});

it("merges keyed items by key: added, deleted and changed on different sides, also within items", () => {
  const merged = mergeThree(
    {
      base: { rows: [{ id: "a" }, { id: "b", x: 1, tags: [{ name: "t", v: 1 }] }, { id: "c" }] },
      draft: { rows: [{ id: "b", x: 2, tags: [{ name: "t", v: 1 }] }, { id: "c" }, { id: "d" }] },
      head: { rows: [{ id: "c" }, { id: "a" }, { id: "b", x: 1, tags: [{ name: "t", v: 2 }] }] },
    },
    listSchema,
    none,
  );
  expect(merged).toEqual({
    value: { rows: [{ id: "c" }, { id: "b", x: 2, tags: [{ name: "t", v: 2 }] }, { id: "d" }] },
    conflicts: [],
  });
});

it("names the key of an item in a conflict, and falls back to one value where keys repeat", () => {
  const conflict = (rows: [JsonValue, JsonValue, JsonValue]): unknown =>
    mergeThree(
      { base: { rows: rows[0] }, draft: { rows: rows[1] }, head: { rows: rows[2] } },
      listSchema,
      none,
    ).conflicts[0]?.path;
  expect(conflict([[{ id: "a", x: 1 }], [{ id: "a", x: 2 }], [{ id: "a", x: 3 }]])).toBe('rows[id="a"].x');
  expect(conflict([[{ id: "a" }], [], [{ id: "a", x: 3 }]])).toBe('rows[id="a"]');
  expect(conflict([[{ id: "a" }, { id: "a" }], [], [{ id: "b" }]])).toBe("rows");
});
