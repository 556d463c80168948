import { expect, it } from "vitest";
import { fieldPath, parseReferencePath, valuesAt, type ReferencePath } from "./path.ts";

const at = (spec: object, path: string): unknown =>
  valuesAt(JSON.parse(JSON.stringify(spec)) as never, parseReferencePath(path) as ReferencePath).map(
    ({ path: place, value }) => [place, value],
  );

it("finds the values of a reference path, with the place of each", () => {
  const spec = {
    from: "a",
    tables: ["b", "c"],
    joins: [{ table: "d" }, {}, { table: "e" }],
    m: [[1, 2], [3]],
  };
  expect(at(spec, "from")).toEqual([["from", "a"]]);
  expect(at(spec, "tables[]")).toEqual([
    ["tables[0]", "b"],
    ["tables[1]", "c"],
  ]);
  expect(at(spec, "joins[].table")).toEqual([
    ["joins[0].table", "d"],
    ["joins[2].table", "e"],
  ]);
  expect(at(spec, "m[][]")).toHaveLength(3);
});

it("finds nothing where the spec has another shape", () => {
  expect(at({ from: 3, tables: "x" }, "from.name")).toEqual([]);
  expect(at({ from: 3, tables: "x" }, "tables[]")).toEqual([]);
  expect(at({}, "toString")).toEqual([]);
});

it("refuses a path that is none", () => {
  for (const text of ["", ".", "a..b", "a[0]", "a[", "[]", "a b", "a.[]"])
    expect(parseReferencePath(text)).toBeUndefined();
});

it("quotes names that a dot path cannot hold", () => {
  expect(fieldPath("labels", "a.b")).toBe('labels["a.b"]');
  expect(fieldPath("", "a b")).toBe('["a b"]');
  expect(fieldPath("a", "b-c")).toBe("a.b-c");
});
