/**
 * The one way by which JSON from outside becomes a value (I15): UTF-8 or an error, no `__proto__`, no name twice
 * in one object, bounded depth and size. A value that passed may be walked by recursion and used as a plain
 * object.
 *
 * It runs once for each message, so the usual message pays for `JSON.parse` and a few searches in its text; only
 * a text that shows a reason is looked at closer.
 */
import { isUtf8 } from "node:buffer";
import { repeatedName } from "./json-names.ts";
import { JSON_BYTES_MAX, JSON_DEPTH_MAX } from "./limits.ts";

export type JsonLimits = { readonly maxBytes?: number; readonly maxDepth?: number };

export type JsonErrorReason =
  "NOT_UTF8" | "NOT_JSON" | "JSON_TOO_LARGE" | "JSON_TOO_DEEP" | "FORBIDDEN_NAME" | "REPEATED_NAME";

export class JsonError extends Error {
  override name = "JsonError";
  readonly reason: JsonErrorReason;
  constructor(reason: JsonErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Throws `JsonError`. Bytes are measured as they are, a text by its UTF-16 length. */
export function parseJson(input: string | Uint8Array, limits: JsonLimits = {}): unknown {
  const maxBytes = limits.maxBytes ?? JSON_BYTES_MAX;
  if (input.length > maxBytes) {
    throw new JsonError(
      "JSON_TOO_LARGE",
      `JSON of ${input.length} bytes: at most ${maxBytes} are allowed; send less at once`,
    );
  }
  const text = typeof input === "string" ? input : decodeUtf8(input);
  const value = parse(text);
  if (typeof value !== "object" || value === null) return value;
  inspect(text, value, limits.maxDepth ?? JSON_DEPTH_MAX);
  return value;
}

function decodeUtf8(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new JsonError("NOT_UTF8", "the bytes are no UTF-8; JSON is sent as UTF-8");
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new JsonError("NOT_JSON", `not JSON: ${why}`, { cause: error });
  }
}

function inspect(text: string, value: object, maxDepth: number): void {
  // Half the depth in braces and half in brackets: fewer of both cannot nest deeper, and `walk` need not look.
  const shallow = atMost(text, "{", maxDepth >> 1) && atMost(text, "[", maxDepth >> 1);
  // Written out, or with an escape for one of its letters: there is no other way.
  const suspicious = text.includes("__proto__") || text.includes("\\u");
  const names = walk(value, shallow ? Infinity : maxDepth, suspicious);
  if (names === quotedColons(text)) return;
  const repeated = repeatedName(text);
  if (repeated === undefined) return;
  throw new JsonError(
    "REPEATED_NAME",
    `the name ${JSON.stringify(repeated)} stands twice in one object; keep one of them`,
  );
}

/** Counts names; throws on what is too deep or forbidden. */
function walk(value: object, depthLeft: number, suspicious: boolean): number {
  if (depthLeft === 0) throw new JsonError("JSON_TOO_DEEP", "JSON nested too deep; make it flatter");
  let names = 0;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      if (typeof item === "object" && item !== null) names += walk(item, depthLeft - 1, suspicious);
    }
    return names;
  }
  if (suspicious && Object.hasOwn(value, "__proto__")) {
    throw new JsonError("FORBIDDEN_NAME", 'the name "__proto__" is not allowed in JSON; rename the field');
  }
  const record = value as Record<string, unknown>;
  for (const name in record) {
    names += 1;
    const item = record[name];
    if (typeof item === "object" && item !== null) names += walk(item, depthLeft - 1, suspicious);
  }
  return names;
}

function atMost(text: string, character: string, count: number): boolean {
  let seen = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) {
    seen += 1;
    if (seen > count) return false;
  }
  return true;
}

/**
 * An upper bound of the names that stand in the text, or -1 if it cannot be had by searching. If it equals the
 * number of names in the parsed value, none was dropped, so none stood twice.
 */
function quotedColons(text: string): number {
  if (text.includes(" :") || text.includes("\n:") || text.includes("\t:") || text.includes("\r:")) return -1;
  let count = 0;
  for (let at = text.indexOf('":'); at !== -1; at = text.indexOf('":', at + 2)) count += 1;
  return count;
}
