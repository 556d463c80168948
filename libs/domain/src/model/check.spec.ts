import { expect, it } from "vitest";
import { builtInKinds, modelOf, put, query, remove, stream, type Lines } from "../testing/random-model.ts";
import { checkChanges } from "./check.ts";
import { finding } from "./finding.ts";
import { OrderedMap } from "./ordered-map.ts";
import { applyChanges } from "./state.ts";

const base: Lines = { "stream/a": stream, "stream/b": stream, "query/q": query("a", "b") };

function findingsOf(lines: Lines): readonly unknown[] {
  const before = modelOf(base);
  const changes = OrderedMap.of(Object.entries(lines));
  const after = applyChanges(before, changes.entries(), 2, builtInKinds);
  const check = checkChanges({ before, after }, changes, builtInKinds, (kind, key, spec) =>
    kind.id === "stream" && spec["bad"] === true ? [finding(key, "SCHEMA", "bad", "mend it")] : [],
  );
  return check.map(({ entity, reason, fieldPath, message }) => [entity, reason, fieldPath, message]);
}

it("has nothing to say of a sound change", () => {
  expect(findingsOf({ "stream/c": stream, "query/r": query("b", "c") })).toEqual([]);
  expect(findingsOf({ "query/q": remove, "stream/b": remove })).toEqual([]);
});

it("I15: names an unknown reference, its place, and an unknown kind", () => {
  expect(findingsOf({ "query/r": query("a", "nowhere", "t") })).toEqual([
    ["query/r", "UNKNOWN_REFERENCE", "to", "to refers to stream/nowhere, which does not exist"],
    ["query/r", "UNKNOWN_REFERENCE", "tables[0]", "tables[0] refers to table/t, which does not exist"],
  ]);
  expect(findingsOf({ "widget/w": put({}) })).toEqual([
    ["widget/w", "UNKNOWN_KIND", "", "there is no kind widget in this model"],
  ]);
  expect(findingsOf({ "query/r": query("a", "Übel/*") })[0]).toEqual([
    "query/r",
    "INVALID_REFERENCE",
    "to",
    'to names "Übel/*", which is no entity name',
  ]);
});

it("I15: refuses a reference to what is built in", () => {
  expect(findingsOf({ "query/r": query("a", "dead-letters") })[0]).toEqual([
    "query/r",
    "BUILT_IN_REFERENCE",
    "to",
    "to names stream/dead-letters, which is built in and belongs to the data plane",
  ]);
});

it("I15: says who still refers to what is deleted", () => {
  expect(findingsOf({ "stream/a": remove })).toEqual([
    ["stream/a", "DELETE_OF_REFERENCED", "", "stream/a is deleted, but still referred to by query/q"],
  ]);
  expect(
    findingsOf({ "stream/a": remove, "query/q": query("a", "b", "x") }).map((each) => (each as string[])[1]),
  ).toEqual(["UNKNOWN_REFERENCE", "UNKNOWN_REFERENCE", "DELETE_OF_REFERENCED"]);
});

it("I15: names every entity on a cycle", () => {
  expect(findingsOf({ "query/back": query("b", "a") })).toEqual([
    [
      "query/back",
      "CYCLE",
      "",
      "data would flow in a circle: query/back → stream/a → query/q → stream/b → query/back",
    ],
  ]);
});

it("asks the kind's own check of each spec that is put", () => {
  expect(findingsOf({ "stream/c": put({ bad: true }), "stream/d": stream })).toEqual([
    ["stream/c", "SCHEMA", "", "bad"],
  ]);
});
