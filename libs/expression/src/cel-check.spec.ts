import { describe, expect, it } from "vitest";
import { checkCel } from "./cel-check.ts";
import { createCelEnvironment } from "./cel-environment.ts";

const event = {
  type: "object",
  properties: {
    delay: { type: "number" },
    stops: { type: "integer" },
    date: { type: "string" },
    open: { type: "boolean" },
    maybe: { type: ["number", "null"] },
    either: { oneOf: [{ type: "string" }, { type: "object" }] },
    tags: { type: "array", items: { type: "string" } },
    scores: { type: "object", additionalProperties: { type: "number" } },
    any: {},
    carrier: { $ref: "#/$defs/carrier" },
    legs: { type: "array", items: { type: "object", properties: { km: { type: "number" } } } },
    tree: { $ref: "#/$defs/tree" },
    free: { type: "object", properties: { a: { type: "string" } }, additionalProperties: true },
  },
  $defs: {
    carrier: { type: "object", properties: { code: { type: "string" } } },
    tree: { type: "object", properties: { left: { $ref: "#/$defs/tree" }, x: { type: "number" } } },
  },
};
const row = { type: "object", properties: { id: { type: "string" }, pay: { type: "number" } } };
const environment = createCelEnvironment({
  variables: { event },
  tables: { bands: row, "late-flights": row },
});

function typeOf(source: string): string {
  const check = checkCel(source, environment);
  return check.ok
    ? check.type
    : check.findings.map(({ reason, message }) => `${reason}: ${message}`).join("; ");
}

describe("checkCel", () => {
  it.each([
    ["event.delay >= 180", "bool"],
    ["event.delay", "double"],
    ["event.stops + 1", "double"],
    ["1 + 2", "int"],
    ["event.delay * 2 - 1 / event.stops % 3", "double"],
    ["event.delay == 180 && event.stops != 1.5 && 1 < event.delay", "bool"],
    ["event.delay in [1, 2]", "bool"],
    ["event.delay == null", "bool"],
    ["event.carrier.code", "string"],
    ["event.carrier", "object event.carrier"],
    ["event.maybe", "dyn"],
    ["event.maybe > 3", "bool"],
    ["event.either", "dyn"],
    ["event.any.thing.at.all", "dyn"],
    ["event.free.unknown", "dyn"],
    ["event.scores['a'] + event.scores.b", "double"],
    ["event.tags", "list<string>"],
    ["event.tags.map(t, size(t))", "list<int>"],
    ["event.legs.filter(l, l.km > 5)[0].km", "double"],
    ["event.tree.left.left.left", "dyn"],
    ["tables.bands[event.carrier.code].pay", "double"],
    ["tables['late-flights']['x']", "object tables.late-flights[]"],
    ["event.carrier.code in tables.bands ? tables.bands[event.carrier.code].pay : null", "dyn"],
    ["event.open ? 1 : 2.5", "dyn"],
    ["{'a': 1, 'b': 'x', 'c': [1, 'x']}", "map<string, dyn>"],
    ["timestamp(event.date) + duration('1h')", "Timestamp"],
    ["string(timestamp(event.date).getFullYear('Europe/Berlin'))", "string"],
    ["has(event.maybe) && !has(event.carrier.code)", "bool"],
    ["math.round(event.delay * 1.609)", "double"],
    ["cel.bind(d, event.delay * 2, d + d)", "double"],
  ])("%s is %s", (source, type) => expect(typeOf(source)).toBe(type));

  it.each([
    ["event.dely > 1", "UNKNOWN_FIELD", 7, 'event has no field "dely"', /mean delay\?/],
    ["1 + event.carrier.cod", "UNKNOWN_FIELD", 19, 'event.carrier has no field "cod"', /mean code\?/],
    ["event['dely']", "UNKNOWN_FIELD", 1, 'event has no field "dely"', /mean delay\?/],
    ["has(event.carrier.cod)", "UNKNOWN_FIELD", 19, 'event.carrier has no field "cod"', /mean code\?/],
    ["tables.bandz['a']", "UNKNOWN_FIELD", 8, 'tables has no field "bandz"', /mean bands\?/],
    ["tables.bands['a'].pays", "UNKNOWN_FIELD", 19, 'tables.bands[] has no field "pays"', /mean pay\?/],
    ["event.legs.exists(l, l.mk > 1)", "UNKNOWN_FIELD", 24, 'event.legs[] has no field "mk"', /km/],
    ["delay > 1", "UNKNOWN_VARIABLE", 1, "there is no variable delay", /event\.delay/],
    ["evnt.delay > 1", "UNKNOWN_VARIABLE", 1, "there is no variable evnt", /mean event\?/],
    ["sise(event.tags)", "UNKNOWN_FUNCTION", 1, "there is no function sise", /size/],
    ["event.date.startWith('x')", "UNKNOWN_FUNCTION", 1, "there is no method startWith", /startsWith/],
    ["event.date.matches(5)", "TYPE_MISMATCH", 1, "string.matches(int)", /matches\(string\)/],
    ["event.delay + event.date", "TYPE_MISMATCH", 1, "double + string", /string\(\) or double\(\)/],
    ["event.delay && true", "TYPE_MISMATCH", 1, "requires bool", /true or false/],
    ["event.tags[event.stops]", "TYPE_MISMATCH", 1, "list index must be int", /int\(\)/],
    ["tables.bands[event.delay]", "TYPE_MISMATCH", 14, "the key is double", /string\(\)/],
    ["event.delay = 3", "SYNTAX_ERROR", 13, "unexpected character", /==/],
    ["event.open and true", "SYNTAX_ERROR", 12, "unexpected character", /&&/],
    ["event.delay >", "SYNTAX_ERROR", 14, "unexpected token", /too early/],
    ["event.date.matches('(a')", "BAD_LITERAL", 20, "no RE2 pattern", /correct/],
    ["timestamp('noon')", "BAD_LITERAL", 11, '"noon" is no time', /correct/],
    ["duration('1 day')", "BAD_LITERAL", 10, '"1 day" is no duration', /correct/],
    ["{'constructor': 1}", "BAD_LITERAL", 2, "constructor is not allowed", /another name/],
    [" ", "EMPTY", 1, "empty", /leave the field out/],
  ] as const)("refuses %s: %s at column %i", (source, reason, column, message, remedy) => {
    const check = checkCel(source, environment);
    const [finding] = check.ok ? [] : check.findings;
    expect(finding).toMatchObject({ reason, column, line: 1 });
    expect(finding?.message).toContain(message);
    expect(finding?.remedy).toMatch(remedy);
  });

  it("names the line of a longer expression", () => {
    const check = checkCel("event.delay > 1 &&\n  event.dely > 2", environment);
    expect(check).toMatchObject({ ok: false, findings: [{ line: 2, column: 9 }] });
  });

  it("holds the result to the type that is asked for", () => {
    expect(checkCel("event.delay", environment, { type: "bool" })).toMatchObject({
      findings: [{ reason: "TYPE_MISMATCH", message: "the result is double, must be bool" }],
    });
    expect(checkCel("event.maybe", environment, { type: "bool" }).ok).toBe(true);
    expect(checkCel("1", environment, { type: "double" }).ok).toBe(true);
  });

  it("tells the JSON Schema of the result", () => {
    const schemaOf = (source: string) => {
      const check = checkCel(source, environment);
      return check.ok ? check.schema : undefined;
    };
    expect(schemaOf("event.tags")).toEqual({ type: "array", items: { type: "string" } });
    expect(schemaOf("size(event.tags)")).toEqual({ type: "number" });
    expect(schemaOf("timestamp(event.date)")).toEqual({ type: "string" });
    expect(schemaOf("event.carrier")).toEqual({ type: "object", properties: { code: { type: "string" } } });
    expect(schemaOf("event.scores")).toEqual({ type: "object", additionalProperties: { type: "number" } });
    expect(schemaOf("event.maybe")).toEqual({});
  });

  it("I15: never throws, whatever the text", () => {
    const texts = [
      "(".repeat(2_000),
      "!".repeat(4_000) + "event.open",
      "-".repeat(4_000) + "1",
      "[".repeat(1_000) + "]".repeat(1_000),
      `event${".a".repeat(2_000)}`,
      `1${" + 1".repeat(1_000)}`,
      `event.open${" ? event.open".repeat(300)}`,
      "event.tags.map(a, ".repeat(200),
      "x".repeat(5_000),
      "event.__proto__",
      "__proto__",
      "event['__proto__']",
      "event.constructor",
      "'\\uD800'",
      "\0",
      "ev\u{e9}nt",
      "999999999999999999999999",
      "b'\\xff' + 'a'",
      "has()",
      "has(event)",
      "has(1)",
      "event.map(x)",
      "event.tags.map(1, 2)",
      "cel.bind(1, 2, 3)",
      "dyn(event).constructor.constructor('return 1')()",
    ];
    for (const text of texts) expect(() => checkCel(text, environment)).not.toThrow();
    const check = checkCel("x".repeat(5_000), environment);
    expect(check).toMatchObject({ ok: false, findings: [{ reason: "TOO_COMPLEX" }] });
    expect(checkCel("(".repeat(2_000), environment)).toMatchObject({ findings: [{ reason: "TOO_COMPLEX" }] });
  });

  it("keeps environments apart", () => {
    const other = createCelEnvironment({ variables: { event: { type: "object", properties: { x: {} } } } });
    expect(checkCel("event.delay", other).ok).toBe(false);
    expect(checkCel("event.x", other).ok).toBe(true);
    expect(checkCel("event.x", environment).ok).toBe(false);
    expect(checkCel("tables.bands", other).ok).toBe(false);
  });
});
