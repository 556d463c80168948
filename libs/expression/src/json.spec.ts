import { describe, expect, it } from "vitest";
import { JsonError, parseJson } from "./json.ts";

function reasonOf(input: string | Uint8Array): string {
  try {
    parseJson(input);
    return "none";
  } catch (error) {
    if (error instanceof JsonError) return error.reason;
    throw error;
  }
}

describe("parseJson", () => {
  it("takes what JSON.parse takes", () => {
    const text = '{"a": [1, 2.5, null, true, "ü\\n"], "b": {"c": {}}, "": 0}';
    expect(parseJson(text)).toEqual(JSON.parse(text));
    expect(parseJson(new TextEncoder().encode(text))).toEqual(JSON.parse(text));
    expect(parseJson("5")).toBe(5);
    expect(parseJson("null")).toBe(null);
  });

  it("reads a view within a larger buffer", () => {
    const bytes = new TextEncoder().encode('xx{"a":1}xx');
    expect(parseJson(bytes.subarray(2, 9))).toEqual({ a: 1 });
  });

  it.each([
    ["nothing", ""],
    ["half", '{"a":'],
    ["a comment", "{}//"],
    ["NaN", '{"a":NaN}'],
    ["a trailing comma", "[1,]"],
  ])("I15: refuses %s as no JSON", (_, text) => expect(reasonOf(text)).toBe("NOT_JSON"));

  it("I15: refuses bytes that are no UTF-8", () => {
    expect(reasonOf(Uint8Array.of(0x22, 0xff, 0x22))).toBe("NOT_UTF8");
    expect(reasonOf(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))).toBe("NOT_UTF8");
  });

  it.each([
    '{"__proto__":{"a":1}}',
    '[{"x":{"__proto__":1}}]',
    '{"\\u005f_proto__":1}',
    '{"__prot\\u006f__":1}',
  ])("I15: refuses the name __proto__, however it is written: %s", (text) =>
    expect(reasonOf(text)).toBe("FORBIDDEN_NAME"),
  );

  it("takes __proto__ as a value, and constructor as a name", () => {
    expect(parseJson('{"a":"__proto__","constructor":1}')).toEqual({ a: "__proto__", constructor: 1 });
  });

  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"a" :2}',
    '{"a" :1,"a":2}',
    '{"a":1,"b":{"c":1,"c":2}}',
    '{"a":1,"\\u0061":2}',
    '[{"a":1},{"b":"\\":","b":2}]',
    '{"a":1,"a"\n:2}',
    '{"":1,"":2}',
  ])("I15: refuses a name that stands twice in one object: %s", (text) => {
    expect(reasonOf(text)).toBe("REPEATED_NAME");
  });

  it.each([
    '{"a":1,"b":{"a":2}}',
    '[{"a":1},{"a":1}]',
    '{"a":"\\"a\\":","b":":"}',
    '{"a" : 1, "b":["a","a"]}',
  ])("takes names that only look repeated: %s", (text) => expect(parseJson(text)).toEqual(JSON.parse(text)));

  it("I15: bounds depth, without recursion into what is too deep", () => {
    expect(reasonOf("[".repeat(64) + "]".repeat(64))).toBe("none");
    expect(reasonOf("[".repeat(65) + "]".repeat(65))).toBe("JSON_TOO_DEEP");
    expect(reasonOf('{"a":'.repeat(40) + "[".repeat(40) + "]".repeat(40) + "}".repeat(40))).toBe(
      "JSON_TOO_DEEP",
    );
    expect(reasonOf("[".repeat(1_000_000) + "]".repeat(1_000_000))).toBe("JSON_TOO_DEEP");
    expect(reasonOf(`[${"{},".repeat(1_000)}{}]`)).toBe("none");
    expect(() => parseJson("[[[]]]", { maxDepth: 2 })).toThrow(/deep/);
  });

  it("I15: bounds size before it decodes", () => {
    expect(reasonOf(new Uint8Array(4 * 1024 * 1024 + 1))).toBe("JSON_TOO_LARGE");
    expect(() => parseJson('"abc"', { maxBytes: 4 })).toThrow(/at most 4/);
  });
});
