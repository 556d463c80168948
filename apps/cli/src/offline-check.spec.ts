import { parseEntities } from "@greco/entity-files";
import { expect, it } from "vitest";
import { findingLines, isError } from "./finding-view.ts";
import { checkFiles } from "./offline-check.ts";

const STREAM =
  "kind: Stream\nname: orders\nspec: { schema: { type: object, properties: { amount: { type: number } } } }";
const OUT = "kind: Stream\nname: out\nspec: { schema: true }";

const check = (...documents: string[]): string[] =>
  checkFiles(parseEntities(documents.join("\n---\n"), "a.yaml")).findings.map(
    (each) => `${isError(each) ? "error" : "warning"} ${findingLines(each)[0]}`,
  );

it("finds nothing in a model that is right", () => {
  expect(
    check(
      STREAM,
      OUT,
      "kind: Query\nname: q\nspec: { from: orders, to: out, select: { n: event.amount * 2 } }",
    ),
  ).toEqual([]);
});

it("checks specs by the built-in kinds' schemas and rules", () => {
  expect(check("kind: Stream\nname: orders\nspec: { schema: true, lanes: 100 }")[0]).toMatch(
    /^error stream\/orders: lanes .*\[SPEC_INVALID\]$/,
  );
  expect(check(STREAM, OUT, "kind: Query\nname: q\nspec: { from: orders, to: out }")).toEqual([
    "error query/q: a query has either select or handler [RULE_BROKEN]",
  ]);
});

it("checks JSON Schemas, and expressions over the streams and tables among the files", () => {
  expect(check("kind: Stream\nname: orders\nspec: { schema: { type: obect } }")).toEqual([
    'error stream/orders schema.type: "obect" is no type [UNKNOWN_TYPE]',
  ]);
  const query = "kind: Query\nname: q\nspec: { from: orders, to: out, select: { n: event.amuont * 2 } }";
  expect(check(STREAM, OUT, query)).toEqual([
    'error query/q select.n, column 7: event has no field "amuont" [UNKNOWN_FIELD]',
  ]);
  expect(check(OUT, query).map((line) => line.split(" ")[0])).toEqual(["warning"]);
});

it("only warns of references to what is not among the files", () => {
  expect(check(STREAM, "kind: Query\nname: q\nspec: { from: orders, to: out, select: { n: '1' } }")).toEqual([
    "warning query/q: to refers to stream/out, which is not among these files [UNKNOWN_REFERENCE]",
  ]);
});

it("finds circles of streams and queries", () => {
  const circle = ["a", "b"].map(
    (name, index) =>
      `kind: Query\nname: ${name}\nspec: { from: ${["orders", "out"][index]}, to: ${["out", "orders"][index]}, handler: x }`,
  );
  expect(check(STREAM, OUT, ...circle).some((line) => line.includes("[CYCLE]"))).toBe(true);
});

it("says which kinds it does not know", () => {
  const { findings, unknownKinds } = checkFiles(parseEntities("kind: Flag\nname: dark\nspec: {}", "a.yaml"));
  expect({ findings, unknownKinds }).toEqual({ findings: [], unknownKinds: ["flag"] });
});
