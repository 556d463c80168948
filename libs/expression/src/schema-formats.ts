/**
 * The values of `format` that are checked. Those of ajv-formats are tests by the built-in RegExp, reviewed here:
 * each one used is anchored and either bounded or without two ways to match the same text, so it is linear.
 * Left out: `url` (its user part is quadratic), `uri-template` and the full `uri` and `uri-reference` (hundreds of
 * alternatives; the fast forms are kept), `regex` (it would compile by the built-in RegExp: ours asks RE2).
 */
import { fastFormats, fullFormats } from "ajv-formats/dist/formats.js";
import type { Format } from "ajv";
import { createRegExp } from "./regexp.ts";

const full = [
  "date",
  "time",
  "date-time",
  "duration",
  "hostname",
  "ipv4",
  "ipv6",
  "uuid",
  "json-pointer",
  "byte",
  "int32",
  "int64",
  "float",
  "double",
] as const;
const fast = ["email", "uri", "uri-reference"] as const;

function isPattern(text: string): boolean {
  try {
    createRegExp(text);
    return true;
  } catch {
    return false; // which is the answer
  }
}

export const schemaFormats: ReadonlyMap<string, Format> = new Map<string, Format>([
  ...full.map((name): [string, Format] => [name, fullFormats[name]]),
  ...fast.map((name): [string, Format] => [name, fastFormats[name]]),
  ["regex", isPattern],
]);
