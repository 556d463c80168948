import { describe, expect, it } from "vitest";
import { inferSchema } from "./infer.ts";
import { compileSchema } from "./schema.ts";

describe("inferSchema", () => {
  it("finds types, what is required, and what may be null", () => {
    const values = [
      { a: 1, b: "x", c: { d: true }, e: [1, 2.5] },
      { a: 2.5, b: null, c: { d: false, f: 1 }, e: [] },
    ];
    expect(inferSchema(values)).toEqual({
      type: "object",
      properties: {
        a: { type: "number" },
        b: { type: ["null", "string"] },
        c: {
          type: "object",
          properties: { d: { type: "boolean" }, f: { type: "integer" } },
          required: ["d"],
        },
        e: { type: "array", items: { type: "number" } },
      },
      required: ["a", "b", "c", "e"],
    });
  });

  it("makes unions of mixed types, and requires fields of objects only", () => {
    expect(inferSchema([{ a: { x: 1 } }, { a: null }, { a: "s" }])).toMatchObject({
      properties: {
        a: { type: ["null", "object", "string"], properties: { x: { type: "integer" } }, required: ["x"] },
      },
    });
  });

  it("makes a schema that every sample fits", () => {
    const values = [{ a: [[1], []] }, { a: null, b: { c: [] } }, {}, { b: 3, a: [["x", null]] }];
    const schema = compileSchema(inferSchema(values));
    for (const value of values) expect(schema.validate(value)).toEqual([]);
  });

  it("takes objects with very many names as maps", () => {
    const map = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`key-${index}`, index]));
    expect(inferSchema([map])).toEqual({ type: "object", additionalProperties: { type: "integer" } });
  });

  it("says nothing of no samples", () => expect(inferSchema([])).toEqual({}));
});
