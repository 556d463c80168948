/** How the text of a spec becomes a spec: one canonical text, or a precise refusal (I15). */
import { canonicalJson, isObject, type JsonObject, type JsonValue } from "./json.ts";
import { SPEC_BYTES_MAX, SPEC_DEPTH_MAX } from "./limits.ts";
import { scanSpec } from "./spec-scan.ts";

/** Something odd that is no error: a name twice (the last one counts), an integer that a double rounds. */
export type SpecNote = {
  readonly reason: "REPEATED_NAME" | "NUMBER_ROUNDED";
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
};

export type ParsedSpec =
  | {
      readonly ok: true;
      readonly spec: JsonObject;
      /** Canonical (RFC 8785). */
      readonly specJson: string;
      readonly notes: readonly SpecNote[];
    }
  | { readonly ok: false; readonly reason: SpecRefusal; readonly path: string; readonly message: string };

export type SpecRefusal =
  | "SPEC_TOO_LARGE"
  | "SPEC_TOO_DEEP"
  | "SPEC_NOT_JSON"
  | "SPEC_NOT_AN_OBJECT"
  | "FORBIDDEN_NAME"
  | "NOT_UNICODE"
  | "NUMBER_OUT_OF_RANGE";

const refused = (reason: SpecRefusal, path: string, message: string): ParsedSpec => ({
  ok: false,
  reason,
  path,
  message,
});

export function parseSpec(text: string): ParsedSpec {
  const bytes = utf8Length(text);
  if (bytes > SPEC_BYTES_MAX)
    return refused(
      "SPEC_TOO_LARGE",
      "",
      `the spec has ${bytes} bytes; at most ${SPEC_BYTES_MAX} are allowed: split the entity`,
    );
  const scan = scanSpec(text);
  if (scan.tooDeep !== undefined)
    return refused(
      "SPEC_TOO_DEEP",
      scan.tooDeep,
      `the spec is nested deeper than ${SPEC_DEPTH_MAX} levels: make it flatter`,
    );
  const parsed = parse(text);
  if ("why" in parsed) return refused("SPEC_NOT_JSON", "", `the spec is not JSON: ${parsed.why}`);
  const forbidden = scan.forbidden[0];
  if (forbidden !== undefined)
    return refused("FORBIDDEN_NAME", forbidden, `the name of ${forbidden} is not allowed: rename the field`);
  const { value } = parsed;
  if (!isObject(value))
    return refused("SPEC_NOT_AN_OBJECT", "", `a spec is a JSON object; this one is ${typeName(value)}`);
  const canonical = canonicalOf(value);
  if (typeof canonical !== "string") return canonical;
  return { ok: true, spec: value, specJson: canonical, notes: notesOf(scan.repeated, scan.rounded) };
}

function parse(text: string): { value: JsonValue } | { why: string } {
  try {
    return { value: JSON.parse(text) as JsonValue };
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) };
  }
}

/** Refuses what `JSON.parse` accepts and RFC 8785 cannot write: `1e999`, `"\ud800"`. */
function canonicalOf(spec: JsonObject): string | ParsedSpec {
  try {
    return canonicalJson(spec);
  } catch (error) {
    if (/surrogate/i.test(String(error)))
      return refused("NOT_UNICODE", "", "the spec holds half of a surrogate pair, which is no Unicode text");
    return refused("NUMBER_OUT_OF_RANGE", "", "the spec holds a number beyond the range of a double");
  }
}

function notesOf(repeated: readonly string[], rounded: readonly string[]): readonly SpecNote[] {
  return [
    ...repeated.map((path): SpecNote => ({
      reason: "REPEATED_NAME",
      path,
      message: `${path} stands twice in the text; the last one counts`,
      remedy: "keep one of them",
    })),
    ...rounded.map((path): SpecNote => ({
      reason: "NUMBER_ROUNDED",
      path,
      message: `${path} is an integer beyond 2^53, which JSON numbers round`,
      remedy: "write it as a string",
    })),
  ];
}

function typeName(value: JsonValue): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

/** Without making the bytes: specs are long and this runs for each. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) continue;
    bytes += code < 0x800 ? 1 : 2;
    // A surrogate pair is two units and four bytes.
    if (code >= 0xd800 && code < 0xdc00) at += 1;
  }
  return bytes;
}
