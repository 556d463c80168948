import { expect, it } from "vitest";
import { celShapeOf } from "./cel-shape.ts";

it("is the same for schemas that differ in what no expression sees", () => {
  const plain = { type: "object", properties: { delay: { type: "number" }, code: { type: "string" } } };
  const rich = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Flight",
    type: "object",
    required: ["delay"],
    additionalProperties: false,
    properties: {
      delay: { type: "integer", minimum: -60, description: "minutes" },
      code: { $ref: "#/$defs/code" },
    },
    $defs: { code: { type: "string", pattern: "^[A-Z]{3}$" } },
  };
  expect(celShapeOf(rich)).toEqual(celShapeOf(plain));
});

it("is its own shape, and differs where a type does", () => {
  const schemas = [
    {},
    { type: ["string", "null"] },
    { type: "object", properties: {} },
    { type: "object", additionalProperties: { type: "string" } },
    { type: "array", items: { type: "object", properties: { a: { type: "boolean" } } } },
  ];
  const shapes = schemas.map(celShapeOf);
  expect(shapes.map(celShapeOf)).toEqual(shapes);
  expect(new Set(shapes.map((shape) => JSON.stringify(shape))).size).toBe(4);
});
