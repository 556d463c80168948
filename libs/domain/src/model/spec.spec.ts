import fc from "fast-check";
import { expect, it } from "vitest";
import { SPEC_BYTES_MAX, SPEC_DEPTH_MAX } from "./limits.ts";
import { parseSpec, utf8Length } from "./spec.ts";

const refusal = (text: string): unknown => {
  const parsed = parseSpec(text);
  return parsed.ok ? "accepted" : [parsed.reason, parsed.path];
};
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

it("gives one canonical text for one spec (RFC 8785)", () => {
  const texts = ['{ "b": 1.0, "a": [1e2, "\\u00e9"] }', '{"a":[100,"é"],"b":1}'];
  expect(texts.map((text) => parseSpec(text))).toMatchObject(
    texts.map(() => ({ ok: true, specJson: '{"a":[100,"é"],"b":1}' })),
  );
});

it("accepts every JSON object, and its canonical text is a fixed point", () => {
  const name = fc.string().filter((text) => text !== "__proto__" && text !== "constructor");
  fc.assert(
    fc.property(fc.dictionary(name, fc.jsonValue({ noUnicodeString: false })), (value) => {
      const parsed = parseSpec(JSON.stringify(value));
      if (!parsed.ok) return void expect(["NOT_UNICODE", "FORBIDDEN_NAME"]).toContain(parsed.reason);
      expect(JSON.parse(parsed.specJson)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(parseSpec(parsed.specJson)).toMatchObject({ specJson: parsed.specJson, notes: [] });
    }),
  );
});

it("I15: refuses names that mean something else to JavaScript, wherever and however they are written", () => {
  expect(refusal('{"__proto__": {"admin": true}}')).toEqual(["FORBIDDEN_NAME", "__proto__"]);
  expect(refusal('{"a": [0, {"b": {"constructor": 1}}]}')).toEqual(["FORBIDDEN_NAME", "a[1].b.constructor"]);
  expect(refusal('{"\\u005f_proto__": 1}')).toEqual(["FORBIDDEN_NAME", "__proto__"]);
  expect(refusal('{"a": "__proto__"}')).toBe("accepted");
});

it("I15: refuses what is nested too deep, without a stack overflow", () => {
  expect(refusal(nested(SPEC_DEPTH_MAX))).toBe("accepted");
  expect(refusal(nested(SPEC_DEPTH_MAX + 1))).toMatchObject([
    "SPEC_TOO_DEEP",
    expect.stringMatching(/^a\.a/),
  ]);
  expect(refusal(`{"a":${"[".repeat(700_000)}`)).toMatchObject(["SPEC_TOO_DEEP", expect.anything()]);
});

it("I15: refuses what is too large, in bytes and not in characters", () => {
  const text = (length: number): string => `{"a":"${"é".repeat(length)}"}`;
  expect(refusal(text((SPEC_BYTES_MAX - 8) / 2))).toBe("accepted");
  expect(refusal(text((SPEC_BYTES_MAX - 8) / 2 + 1))).toEqual(["SPEC_TOO_LARGE", ""]);
});

it("I15: refuses what is no JSON object, and what JSON can read but not write", () => {
  expect(refusal("{")).toEqual(["SPEC_NOT_JSON", ""]);
  expect(refusal("")).toEqual(["SPEC_NOT_JSON", ""]);
  expect(refusal("[1]")).toEqual(["SPEC_NOT_AN_OBJECT", ""]);
  expect(refusal("null")).toEqual(["SPEC_NOT_AN_OBJECT", ""]);
  expect(refusal('{"a":"\\ud800"}')).toEqual(["NOT_UNICODE", ""]);
  expect(refusal('{"a":1e999}')).toEqual(["NUMBER_OUT_OF_RANGE", ""]);
});

it("notes a name that stands twice and an integer that a double rounds", () => {
  const parsed = parseSpec('{"a":{"x":1,"y":2,"x":3},"n":[9007199254740993]}');
  expect(parsed).toMatchObject({
    ok: true,
    specJson: '{"a":{"x":3,"y":2},"n":[9007199254740992]}',
    notes: [
      { reason: "REPEATED_NAME", path: "a.x" },
      { reason: "NUMBER_ROUNDED", path: "n[0]" },
    ],
  });
});

it("counts bytes as UTF-8 does", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
    }),
  );
});
