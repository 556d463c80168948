import { describe, expect, it } from "vitest";
import { checkSchema } from "./schema-check.ts";
import { compileSchema, SchemaError } from "./schema.ts";

const flight = {
  type: "object",
  properties: {
    delay: { type: "number", minimum: -100 },
    origin: { type: "string", pattern: "^[A-Z]{3}$" },
    carrier: { type: "object", properties: { code: { type: "string" } }, additionalProperties: false },
    stops: {
      type: "array",
      items: { type: "object", properties: { at: { type: "string" } }, required: ["at"] },
    },
    class: { enum: ["first", "second"] },
  },
  required: ["delay"],
};

describe("compileSchema", () => {
  it("accepts what fits", () => {
    expect(compileSchema(flight).validate({ delay: 5, origin: "ORD", stops: [{ at: "x" }] })).toEqual([]);
    expect(compileSchema(true).validate({})).toEqual([]);
  });

  it("tells every error with a dot path and a sentence", () => {
    const value = { origin: "ord", carrier: { cod: 1 }, stops: [{ at: "x" }, {}], class: "third" };
    expect(compileSchema(flight).validate(value)).toEqual([
      { path: "delay", message: "is required" },
      { path: "origin", message: 'must match ^[A-Z]{3}$, is "ord"' },
      { path: "carrier.cod", message: "is not a known field; did you mean code?" },
      { path: "stops[1].at", message: "is required" },
      { path: "class", message: 'must be one of "first", "second"' },
    ]);
  });

  it("names types, limits and odd field names", () => {
    const schema = compileSchema({ properties: { "a b": { type: ["integer", "null"] }, n: { maximum: 5 } } });
    expect(schema.validate({ "a b": "x", n: 7 })).toEqual([
      { path: '["a b"]', message: "must be an integer or null, is a string" },
      { path: "n", message: "must be <= 5, is 7" },
    ]);
    const large = compileSchema({ properties: { n: { type: "number" } } });
    expect(large.validate(JSON.parse('{"n": 1e999}'))).toEqual([
      { path: "n", message: "is too large for a number" },
    ]);
    expect(compileSchema({ type: "object" }).validate([])).toEqual([
      { path: "", message: "must be an object, is an array" },
    ]);
  });

  it("explains unions by what fits none of them", () => {
    const schema = compileSchema({ oneOf: [{ type: "number" }, { type: "integer" }], not: { const: 3 } });
    expect(schema.validate(1)[0]?.message).toMatch(/more than one/);
    expect(schema.validate(3).map((error) => error.message)).toContain("has a form that is not allowed");
  });

  it.each([
    ["date", "2024-02-29", "2023-02-29"],
    ["date-time", "2024-02-29T10:00:00Z", "2024-02-29 noon"],
    ["email", "a@b.example", "a@"],
    ["uuid", "123e4567-e89b-12d3-a456-426614174000", "123e"],
    ["ipv6", "::1", "1::1::1"],
    ["regex", "^a+$", "(a"],
    ["uri", "https://a.example/b", "a b"],
    ["hostname", "a.example", "-a-"],
    ["duration", "P1DT2H", "1D"],
  ])("checks the format %s", (format, right, wrong) => {
    const schema = compileSchema({ type: "string", format });
    expect(schema.validate(right)).toEqual([]);
    expect(schema.validate(wrong)).toHaveLength(1);
  });

  it("I15: no pattern of a schema reaches the built-in RegExp", () => {
    const schema = compileSchema({
      properties: { a: { pattern: "^(a+)+$" } },
      patternProperties: { "^(b+)+$": { type: "string" } },
      propertyNames: { pattern: "^(c+)+$|^a$|^b+!$" },
    });
    const started = performance.now();
    schema.validate({ a: `${"a".repeat(40)}!`, [`${"b".repeat(40)}!`]: 1 });
    expect(schema.validate({ a: `${"a".repeat(40)}!` })).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("I15: formats answer in linear time", () => {
    const started = performance.now();
    for (const format of [
      "email",
      "uri",
      "uri-reference",
      "hostname",
      "duration",
      "json-pointer",
      "ipv6",
      "byte",
    ]) {
      const schema = compileSchema({ format });
      for (const text of ["a", "1", "/", "a.", "-", "a@a.", "::", "P1", "AAAA"])
        schema.validate(`${text.repeat(50_000)}!`);
    }
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  it("I15: items that must differ are compared in linear time", () => {
    const items = Array.from({ length: 50_000 }, (_, index) => ({ index, same: "x" }));
    const schema = compileSchema({ type: "array", uniqueItems: true });
    const started = performance.now();
    expect(schema.validate(items)).toEqual([]);
    expect(schema.validate([...items, { same: "x", index: 7 }])).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it("I15: a recursive schema cannot cost exponential time", () => {
    const tree = {
      anyOf: [
        { properties: { next: { $ref: "#" }, x: { type: "string" } } },
        { properties: { next: { $ref: "#" }, x: { type: "null" } } },
      ],
    };
    let value: Record<string, unknown> = { x: 1 };
    for (let depth = 0; depth < 60; depth += 1) value = { next: value };
    const started = performance.now();
    expect(compileSchema(tree).validate(value)[0]?.message).toMatch(/steps/);
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(compileSchema({ $ref: "#" }).validate(1)[0]?.message).toMatch(/recursive|steps/);
  });

  it("I15: tells only the first of a million errors", () => {
    const schema = compileSchema({ type: "array", items: { type: "string" } });
    expect(schema.validate(Array.from({ length: 1_000_000 }, () => 1))).toHaveLength(1);
    expect(schema.validate(Array.from({ length: 100 }, () => 1))).toHaveLength(50);
  });

  it("I15: __proto__ in a value is a field like any other", () => {
    const schema = compileSchema({ type: "object", properties: { a: {} }, additionalProperties: false });
    expect(schema.validate(JSON.parse('{"__proto__":{"a":1}}'))).toHaveLength(1);
    expect(compileSchema({ required: ["toString"] }).validate({})).toHaveLength(1);
  });

  it("follows references by pointer, by anchor and to itself", () => {
    const schema = compileSchema({
      $id: "https://a.example/tree",
      properties: { left: { $ref: "#" }, size: { $ref: "#/$defs/a~1b" }, name: { $ref: "#short" } },
      $defs: { "a/b": { type: "integer" }, text: { $anchor: "short", maxLength: 2 } },
      enum: [{ $ref: "#" }, { left: { size: 1 } }, { left: { size: "x", name: "abc" } }],
    });
    expect(schema.validate({ $ref: "#" })).toEqual([]);
    expect(schema.validate({ left: { size: "x", name: "abc" } }).map((error) => error.path)).toEqual([
      "left",
      "left.size",
      "left.name",
    ]);
  });

  it("leaves the schema and the value as they are", () => {
    const schema = Object.freeze({
      properties: Object.freeze({ a: Object.freeze({ default: 1, type: "number" }) }),
    });
    const value = Object.freeze({});
    expect(compileSchema(schema).validate(value)).toEqual([]);
    expect(value).toEqual({});
  });

  it("throws all findings on a schema that is none", () => {
    expect(() => compileSchema({ type: "strin" })).toThrow(SchemaError);
    expect(() => compileSchema({ type: "strin" })).toThrow(
      'the schema at type: "strin" is no type: did you mean string?',
    );
  });

  it("keeps nothing: two schemas may have one $id", () => {
    const one = compileSchema({ $id: "https://a.example/x", type: "string" });
    const two = compileSchema({ $id: "https://a.example/x", type: "number" });
    expect(one.validate("a")).toEqual([]);
    expect(two.validate("a")).toHaveLength(1);
  });
});

describe("checkSchema", () => {
  const cases: readonly (readonly [
    what: string,
    schema: unknown,
    path: string,
    reason: string,
    remedy: RegExp,
  ])[] = [
    ["no object", 5, "", "NOT_A_SCHEMA", /object/],
    ["a slip in a keyword", { propertys: {} }, "propertys", "UNKNOWN_KEYWORD", /properties/],
    ["another dialect's keyword", { nullable: true }, "nullable", "UNKNOWN_KEYWORD", /"null"/],
    ["an async schema", { $async: true }, "$async", "UNKNOWN_KEYWORD", /remove/],
    ["an unknown type", { items: { type: "int" } }, "items.type", "UNKNOWN_TYPE", /use one of|integer/],
    ["a remote reference", { $ref: "https://a.example/x" }, "$ref", "REMOTE_REFERENCE", /\$defs/],
    [
      "a dangling reference",
      { $defs: { flight: {} }, $ref: "#/$defs/fligt" },
      "$ref",
      "DANGLING_REFERENCE",
      /flight/,
    ],
    [
      "another dialect",
      { $schema: "http://json-schema.org/draft-07/schema#" },
      "$schema",
      "UNSUPPORTED_DIALECT",
      /2020/,
    ],
    ["an id within", { properties: { a: { $id: "b" } } }, "properties.a.$id", "NESTED_ID", /\$defs/],
    ["a bad pattern", { pattern: "(a" }, "pattern", "BAD_PATTERN", /RE2/],
    [
      "a bad name pattern",
      { patternProperties: { "(?=a)": {} } },
      "patternProperties.(?=a)",
      "BAD_PATTERN",
      /RE2/,
    ],
    ["an unknown format", { format: "date-tim" }, "format", "UNKNOWN_FORMAT", /date-time/],
    ["a wrong value", { minLength: "x" }, "minLength", "INVALID_SCHEMA", /2020-12/],
    ["a key of no list", { "x-greco-list-key": "id" }, "x-greco-list-key", "BAD_LIST_KEY", /array/],
    ["our keyword misspelt", { "x-greco-listkey": "id" }, "x-greco-listkey", "UNKNOWN_KEYWORD", /list-key/],
  ];
  it.each(cases)("I15: finds %s", (_, schema, path, reason, remedy) => {
    const [finding] = checkSchema(schema);
    expect(finding).toMatchObject({ path, reason });
    expect(finding?.remedy).toMatch(remedy);
  });

  it("finds nothing in what it takes, own annotations included", () => {
    expect(
      checkSchema({
        ...flight,
        "x-owner": "team",
        $defs: { a: { $anchor: "here" } },
        not: { $ref: "#here" },
      }),
    ).toEqual([]);
    expect(checkSchema(false)).toEqual([]);
  });

  it("checks that a list's key is a required text of its items", () => {
    const rows = (items: unknown) => checkSchema({ type: "array", "x-greco-list-key": "id", items });
    const id = { type: "string" };
    expect(rows({ properties: { id }, required: ["id"] })).toEqual([]);
    expect(rows({ properties: { id } })[0]?.message).toMatch(/not required/);
    expect(rows({ properties: { ID: id } })[0]?.remedy).toMatch(/ID/);
    expect(rows({ properties: { id: { type: "object" } }, required: ["id"] })[0]?.message).toMatch(/no text/);
  });

  it("I15: bounds size and depth, and never throws", () => {
    let deep: Record<string, unknown> = {};
    for (let depth = 0; depth < 5_000; depth += 1) deep = { not: deep };
    expect(checkSchema(deep).map((finding) => finding.reason)).toEqual(["SCHEMA_TOO_DEEP"]);
    const wide = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`f${index}`, { type: "string" }]),
    );
    expect(checkSchema({ properties: wide })[0]?.reason).toBe("SCHEMA_TOO_LARGE");
  });
});
