import fc from "fast-check";
import { expect, it } from "vitest";
import { OrderedMap } from "./ordered-map.ts";

const key = fc.stringMatching(/^[a-z0-9-]{1,4}$/);
const edits = fc.array(fc.tuple(key, fc.option(fc.integer())), { maxLength: 200 });

function apply(
  map: OrderedMap<number>,
  list: readonly (readonly [string, number | null])[],
): OrderedMap<number> {
  return map.edit((edit) => {
    for (const [name, value] of list) {
      if (value === null) edit.delete(name);
      else edit.set(name, value);
    }
  });
}

it("holds what a plain map holds, in key order, and no edit touches an older one", () => {
  fc.assert(
    fc.property(fc.array(edits, { maxLength: 6 }), (rounds) => {
      const model = new Map<string, number>();
      let map = OrderedMap.empty<number>();
      const older: [OrderedMap<number>, string][] = [];
      for (const round of rounds) {
        older.push([map, JSON.stringify([...map.entries()])]);
        map = apply(map, round);
        for (const [name, value] of round) {
          if (value === null) model.delete(name);
          else model.set(name, value);
        }
      }
      expect([...map.entries()]).toEqual([...model].toSorted(([a], [b]) => (a < b ? -1 : 1)));
      expect(map.size).toBe(model.size);
      for (const [old, text] of older) expect(JSON.stringify([...old.entries()])).toBe(text);
    }),
  );
});

it("goes on strictly behind a key, whether it exists or not", () => {
  const map = OrderedMap.of([
    ["a", 1],
    ["b", 2],
    ["d", 4],
  ]);
  expect([...map.after("b")]).toEqual([["d", 4]]);
  expect([...map.after("c")]).toEqual([["d", 4]]);
  expect([...map.after("d")]).toEqual([]);
});

it("lists what starts with a prefix and nothing else", () => {
  const map = OrderedMap.of(["query/a", "query/b", "query-x/a", "stream/a"].map((name) => [name, 1]));
  expect([...map.withPrefix("query/")].map(([name]) => name)).toEqual(["query/a", "query/b"]);
});
