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
import { OrderedMap } from "./ordered-map.ts";
import { approvalSurvives, rebase, type Rebased, type Resolution } from "./rebase.ts";

const base: Lines = {
  "stream/a": put({ schema: true, lanes: 1, key: "k" }),
  "stream/b": stream,
  "query/q": query("a", "b"),
};

function rebased(draft: Lines, head: Lines, resolutions: readonly Resolution[] = []): Rebased {
  return rebase(
    modelOf(base),
    OrderedMap.of(Object.entries(draft)),
    modelOf(base, head),
    builtInKinds,
    resolutions,
  );
}
const lines = (result: Rebased): unknown =>
  Object.fromEntries(
    [...result.changes.entries()].map(([key, change]) => [
      key,
      change.action === "put" ? (JSON.parse(change.specJson) as unknown) : "delete",
    ]),
  );
const conflicts = (result: Rebased): unknown =>
  result.conflicts.map(({ entity, fieldPath }) => [entity, fieldPath]);

it("keeps lines whose entity the head did not touch, and merges the others field by field", () => {
  const result = rebased(
    { "stream/a": put({ schema: true, lanes: 2, key: "k" }), "stream/c": stream },
    { "stream/a": put({ schema: true, lanes: 1, key: "other" }), "stream/b": put({ schema: false }) },
  );
  expect(lines(result)).toEqual({
    "stream/a": { key: "other", lanes: 2, schema: true },
    "stream/c": { schema: true },
  });
  expect(result.conflicts).toEqual([]);
});

it("drops a line that the head says already", () => {
  expect(
    lines(
      rebased(
        { "stream/b": put({ schema: false }), "query/q": remove },
        { "stream/b": put({ schema: false }), "query/q": remove },
      ),
    ),
  ).toEqual({});
});

it("lists a conflict of a field with all three sides, and of an entity as a whole", () => {
  const result = rebased(
    {
      "stream/a": put({ schema: true, lanes: 2, key: "k" }),
      "stream/b": remove,
      "stream/c": stream,
      "query/q": query("b", "a"),
    },
    {
      "stream/a": put({ schema: true, lanes: 3, key: "k" }),
      "stream/b": put({ schema: false }),
      "stream/c": put({ schema: false }),
      "query/q": remove,
    },
  );
  expect(conflicts(result)).toEqual([
    ["query/q", ""],
    ["stream/a", "lanes"],
    ["stream/b", ""],
    ["stream/c", ""],
  ]);
  expect(result.conflicts[1]).toMatchObject({ base: 1, draft: 2, head: 3 });
  expect(result.conflicts[2]).toMatchObject({ draft: undefined, head: { schema: false } });
});

it("settles a conflict as it is told, and tells which resolution settles nothing", () => {
  const draft = { "stream/a": put({ schema: true, lanes: 2, key: "k" }), "stream/b": remove };
  const head = { "stream/a": put({ schema: true, lanes: 3, key: "k2" }), "stream/b": put({ schema: false }) };
  const settle = (side: "draft" | "head"): Resolution[] => [
    { entity: "stream/a", fieldPath: "lanes", side },
    { entity: "stream/b", fieldPath: "", side },
    { entity: "stream/b", fieldPath: "lanes", side },
  ];
  const toDraft = rebased(draft, head, settle("draft"));
  expect(lines(toDraft)).toEqual({ "stream/a": { key: "k2", lanes: 2, schema: true }, "stream/b": "delete" });
  expect(toDraft.unused).toEqual([2]);
  expect(lines(rebased(draft, head, settle("head")))).toEqual({});
});

it("takes an entity that was deleted and made again as another one", () => {
  const head = modelOf(base, { "stream/b": remove }, { "stream/b": put({ schema: true, lanes: 9 }) });
  const draft = OrderedMap.of(Object.entries({ "stream/b": put({ schema: true, lanes: 2 }) }));
  expect(conflicts(rebase(modelOf(base), draft, head, builtInKinds, []))).toEqual([["stream/b", ""]]);
});

it("changes nothing on the same head, and leaves no conflict once every one is settled", () => {
  fc.assert(
    fc.property(versionsOf(3), versionsOf(1), versionsOf(2), (versions, drafts, more) => {
      const from = fold(versions);
      const draft = drafts[0] ?? OrderedMap.empty();
      const same = rebase(from, draft, from, builtInKinds, []);
      expect([...same.changes.entries()]).toEqual([...draft.entries()]);
      const head = fold([...versions, ...more]);
      const first = rebase(from, draft, head, builtInKinds, []);
      for (const side of ["draft", "head"] as const) {
        const resolutions = first.conflicts.map(({ entity, fieldPath }) => ({ entity, fieldPath, side }));
        const settled = rebase(from, draft, head, builtInKinds, resolutions);
        expect([settled.conflicts, settled.unused]).toEqual([[], []]);
        const again = rebase(head, settled.changes, head, builtInKinds, []);
        expect([...again.changes.entries()]).toEqual([...settled.changes.entries()]);
      }
    }),
  );
});

it("keeps an approval only if the change and every revision that it touches or refers to are the same", () => {
  const survives = (draft: Lines, head: Lines): boolean => {
    const changes = OrderedMap.of(Object.entries(draft));
    const [from, to] = [modelOf(base), modelOf(base, head)];
    const after = rebase(from, changes, to, builtInKinds, []).changes;
    return approvalSurvives({ base: from, changes }, { base: to, changes: after }, builtInKinds);
  };
  const draft = { "query/q": query("a", "b", "t") };
  expect(survives(draft, { "stream/c": stream })).toBe(true);
  expect(survives(draft, { "stream/a": put({ schema: false }) })).toBe(false);
  expect(survives(draft, { "table/t": put({}) })).toBe(false);
  expect(survives(draft, { "query/q": query("a", "b", "u") })).toBe(false);
  expect(
    survives({ "stream/b": put({ schema: false }) }, { "stream/b": put({ schema: true, lanes: 3 }) }),
  ).toBe(false);
  expect(survives({ "query/q": remove }, { "stream/a": stream })).toBe(true);
});
