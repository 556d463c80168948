/**
 * ajv, set up so that what a schema says can cost only what the value's size allows: patterns by RE2, `enum` and
 * `uniqueItems` by hashing instead of comparing each with each, and a count of steps through `$ref`.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { SCHEMA_STEPS_MAX } from "./limits.ts";
import { createRegExp } from "./regexp.ts";
import { schemaFormats } from "./schema-formats.ts";
import {
  isSchemaObject,
  listOfSubschemas,
  namedSubschemas,
  oneSubschema,
  resolveReference,
  type SchemaObject,
} from "./schema-keywords.ts";

export type { ErrorObject, ValidateFunction };

const STEP = "x-greco-step";

export class StepsError extends Error {
  override name = "StepsError";
}

let stepsLeft = 0;

/** The steps of one validation begin anew. Validation is synchronous, so one counter is enough. */
export function resetSteps(): void {
  stepsLeft = SCHEMA_STEPS_MAX;
}

function step(): boolean {
  stepsLeft -= 1;
  if (stepsLeft < 0) throw new StepsError("too many steps");
  return true;
}

/** Equal values have equal texts, whatever the order of their names. */
function fingerprint(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(fingerprint).join(",")}]`;
  if (!isSchemaObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value).toSorted();
  return `{${fields.map((name) => `${JSON.stringify(name)}:${fingerprint(value[name])}`).join(",")}}`;
}

function allDifferent(items: readonly unknown[]): boolean {
  return new Set(items.map(fingerprint)).size === items.length;
}

export function createEngine(allErrors: boolean): Ajv2020 {
  const regExp = Object.assign((pattern: string) => createRegExp(pattern), { code: "createRegExp" });
  const ajv = new Ajv2020({
    allErrors,
    verbose: true,
    // `checkSchema` finds unknown keywords and formats, with a place and a remedy.
    strictSchema: false,
    strictTypes: false,
    strictTuples: false,
    strictNumbers: true,
    addUsedSchema: false,
    logger: false,
    ownProperties: true,
    formats: Object.fromEntries(schemaFormats),
    code: { regExp },
  });
  ajv.removeKeyword("enum");
  ajv.addKeyword({
    keyword: "enum",
    schemaType: "array",
    compile: (allowed: readonly unknown[]) => {
      const known = new Set(allowed.map(fingerprint));
      return (value: unknown) => known.has(fingerprint(value));
    },
  });
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    compile: (wanted: boolean) => (items: readonly unknown[]) => !wanted || allDifferent(items),
  });
  // Before: when the reference fails, nothing after it runs.
  ajv.addKeyword({ keyword: STEP, before: "$ref", validate: step, errors: false });
  return ajv;
}

/**
 * The schema as the engine gets it: a copy, without annotations, in which each `$ref` counts its steps and is a
 * JSON pointer. It stands in `$defs`, because the engine finds `#` only by an id, and keeps ids for ever.
 */
export function instrument(schema: unknown): object | boolean {
  if (!isSchemaObject(schema)) return schema === true;
  return { $defs: { root: copy(schema, schema) }, $ref: ROOT };
}

const ROOT = "#/$defs/root";
const dropped = new Set([
  "$id",
  "$schema",
  "$anchor",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
]);

function copy(root: SchemaObject, schema: unknown): unknown {
  if (!isSchemaObject(schema)) return schema;
  const result: Record<string, unknown> = {};
  for (const keyword of Object.keys(schema)) {
    if (!dropped.has(keyword) && !keyword.startsWith("x-"))
      result[keyword] = copyKeyword(root, keyword, schema[keyword]);
  }
  if (typeof result["$ref"] === "string") {
    result["$ref"] = pointer(root, result["$ref"]);
    result[STEP] = true;
  }
  return result;
}

function copyKeyword(root: SchemaObject, keyword: string, value: unknown): unknown {
  if (includes(oneSubschema, keyword)) return copy(root, value);
  if (includes(listOfSubschemas, keyword) && Array.isArray(value))
    return value.map((item) => copy(root, item));
  if (includes(namedSubschemas, keyword) && isSchemaObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copy(root, item)]));
  }
  return structuredClone(value);
}

function includes(keywords: readonly string[], keyword: string): boolean {
  return keywords.includes(keyword);
}

function pointer(root: SchemaObject, reference: string): string {
  if (reference === "#" || reference.startsWith("#/")) return ROOT + reference.slice(1);
  const path = pathOf(root, resolveReference(root, reference));
  return path === undefined ? reference : ROOT + path;
}

/** The JSON pointer of an anchored subschema. */
function pathOf(at: unknown, wanted: unknown): string | undefined {
  if (at === wanted) return "";
  if (typeof at !== "object" || at === null) return undefined;
  for (const [name, inner] of Object.entries(at)) {
    const rest = pathOf(inner, wanted);
    if (rest === undefined) continue;
    return `/${encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"))}${rest}`;
  }
  return undefined;
}
