/**
 * Is this a schema that Greco takes: JSON Schema 2020-12 in itself, so no remote `$ref`, patterns by RE2, no
 * keyword that nobody reads (a slip such as `propertys` would check nothing and say nothing), bounded (I15).
 */
import { JSON_DEPTH_MAX, SCHEMA_KEYWORDS_MAX } from "./limits.ts";
import { nearestName } from "./nearest.ts";
import { createRegExp, PatternError } from "./regexp.ts";
import { schemaFormats } from "./schema-formats.ts";
import {
  foreignKeywords,
  isSchemaObject,
  knownKeywords,
  LIST_KEY,
  resolveReference,
  type SchemaObject,
  subschemas,
} from "./schema-keywords.ts";
import { metaErrors } from "./schema-meta.ts";

export type SchemaFinding = {
  /** Where in the schema, e.g. `properties.carrier.type`; empty: the schema itself. */
  readonly path: string;
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
};

const dialects = [
  "https://json-schema.org/draft/2020-12/schema",
  "https://json-schema.org/draft/2020-12/schema#",
];
const patternPropertiesMax = 64;

/** What is wrong with the schema; empty: it compiles. Never throws. */
export function checkSchema(schema: unknown): readonly SchemaFinding[] {
  if (typeof schema === "boolean") return [];
  if (!isSchemaObject(schema)) {
    return [
      finding("", "NOT_A_SCHEMA", "a JSON Schema is an object", 'write an object such as {"type": "object"}'),
    ];
  }
  const findings: SchemaFinding[] = [];
  const walk: Walk = {
    root: schema,
    findings,
    keywordsLeft: SCHEMA_KEYWORDS_MAX,
    visited: new Set(),
    references: [],
  };
  visit(walk, schema, "", 0);
  for (const { path, reference } of walk.references) findings.push(...checkReference(walk, reference, path));
  if (walk.keywordsLeft < 0) {
    const remedy = "split the schema, or leave parts of it open";
    return [finding("", "SCHEMA_TOO_LARGE", `more than ${SCHEMA_KEYWORDS_MAX} keywords`, remedy)];
  }
  // The meta-schema's own complaints name only where and what; ours come first, they know more.
  if (findings.length === 0) {
    for (const { path, message } of metaErrors(schema)) {
      findings.push(finding(path, "INVALID_SCHEMA", message, "see JSON Schema 2020-12 for this keyword"));
    }
  }
  return findings;
}

function finding(path: string, reason: string, message: string, remedy: string): SchemaFinding {
  return { path, reason, message, remedy };
}

type Walk = {
  readonly root: SchemaObject;
  readonly findings: SchemaFinding[];
  keywordsLeft: number;
  /** Every subschema: a `$ref` must lead to one of them. */
  readonly visited: Set<unknown>;
  readonly references: { readonly path: string; readonly reference: string }[];
};

function visit(walk: Walk, schema: SchemaObject, path: string, depth: number): void {
  if (depth > JSON_DEPTH_MAX) {
    const remedy = "make it flatter, with $defs";
    walk.findings.push(
      finding(path, "SCHEMA_TOO_DEEP", `nested deeper than ${JSON_DEPTH_MAX} levels`, remedy),
    );
    return;
  }
  walk.visited.add(schema);
  for (const keyword of Object.keys(schema)) {
    walk.keywordsLeft -= 1;
    if (walk.keywordsLeft < 0) return;
    walk.findings.push(...checkKeyword(walk, schema, keyword, join(path, keyword)));
  }
  for (const [step, subschema] of subschemas(schema)) {
    if (isSchemaObject(subschema)) visit(walk, subschema, join(path, step), depth + 1);
  }
}

function join(path: string, step: string): string {
  return path === "" ? step : `${path}.${step}`;
}

function* checkKeyword(
  walk: Walk,
  schema: SchemaObject,
  keyword: string,
  path: string,
): Generator<SchemaFinding> {
  const value = schema[keyword];
  if (!knownKeywords.has(keyword)) {
    yield* unknownKeyword(keyword, path);
    return;
  }
  switch (keyword) {
    case "type":
      yield* checkType(value, path);
      break;
    case "$ref":
      if (typeof value === "string") walk.references.push({ path, reference: value });
      break;
    case "$schema":
      if (!dialects.includes(String(value))) {
        const remedy = `write "${dialects[0]}", or leave it out`;
        yield finding(
          path,
          "UNSUPPORTED_DIALECT",
          `${JSON.stringify(value)} is no supported dialect`,
          remedy,
        );
      }
      break;
    case "$id":
      if (schema !== walk.root)
        yield finding(path, "NESTED_ID", "$id inside a schema", "use $defs and $ref instead");
      break;
    case "pattern":
      yield* checkPattern(value, path);
      break;
    case "patternProperties":
      yield* checkPatternProperties(value, path);
      break;
    case "format":
      if (typeof value === "string" && !schemaFormats.has(value)) yield unknownFormat(value, path);
      break;
    case LIST_KEY:
      yield* checkListKey(walk.root, schema, value, path);
      break;
  }
}

function* unknownKeyword(keyword: string, path: string): Generator<SchemaFinding> {
  if (keyword.startsWith("x-") && !keyword.startsWith("x-greco-")) return;
  const near = nearestName(keyword, knownKeywords);
  const guess = near === undefined ? 'remove it, or name it "x-…"' : `did you mean ${near}?`;
  const remedy = foreignKeywords.get(keyword) ?? guess;
  yield finding(path, "UNKNOWN_KEYWORD", `${keyword} is no keyword of JSON Schema 2020-12`, remedy);
}

const typeNames = ["string", "number", "integer", "boolean", "object", "array", "null"];

function* checkType(value: unknown, path: string): Generator<SchemaFinding> {
  for (const name of Array.isArray(value) ? (value as unknown[]) : [value]) {
    if (typeof name !== "string" || typeNames.includes(name)) continue; // what is no text, the meta-schema says
    const near = nearestName(name, typeNames);
    const remedy = near === undefined ? `use one of ${typeNames.join(", ")}` : `did you mean ${near}?`;
    yield finding(path, "UNKNOWN_TYPE", `${JSON.stringify(name)} is no type`, remedy);
  }
}

function* checkReference({ root, visited }: Walk, reference: string, path: string): Generator<SchemaFinding> {
  if (!reference.startsWith("#")) {
    const remedy = "copy what it refers to into $defs and write #/$defs/…";
    yield finding(
      path,
      "REMOTE_REFERENCE",
      `$ref ${JSON.stringify(reference)} leads out of the schema`,
      remedy,
    );
    return;
  }
  const target = resolveReference(root, reference);
  if (visited.has(target) || typeof target === "boolean") return;
  const names = isSchemaObject(root["$defs"])
    ? Object.keys(root["$defs"]).map((name) => `#/$defs/${name}`)
    : [];
  const near = nearestName(reference, names);
  const remedy = near === undefined ? "define it under $defs" : `did you mean ${near}?`;
  yield finding(path, "DANGLING_REFERENCE", `$ref ${JSON.stringify(reference)} leads to no schema`, remedy);
}

function* checkPattern(value: unknown, path: string): Generator<SchemaFinding> {
  if (typeof value !== "string") return;
  try {
    createRegExp(value);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    yield finding(path, "BAD_PATTERN", error.message, "write it in RE2's syntax");
  }
}

function* checkPatternProperties(value: unknown, path: string): Generator<SchemaFinding> {
  if (!isSchemaObject(value)) return;
  const patterns = Object.keys(value);
  if (patterns.length > patternPropertiesMax) {
    const message = `${patterns.length} patterns: at most ${patternPropertiesMax} are allowed`;
    yield finding(path, "SCHEMA_TOO_LARGE", message, "join patterns that have the same schema");
    return;
  }
  for (const pattern of patterns) yield* checkPattern(pattern, `${path}.${pattern}`);
}

function unknownFormat(value: string, path: string): SchemaFinding {
  const near = nearestName(value, schemaFormats.keys());
  const remedy =
    near === undefined ? `use one of ${[...schemaFormats.keys()].join(", ")}` : `did you mean ${near}?`;
  return finding(path, "UNKNOWN_FORMAT", `${JSON.stringify(value)} is no format that is checked`, remedy);
}

function* checkListKey(
  root: SchemaObject,
  schema: SchemaObject,
  value: unknown,
  path: string,
): Generator<SchemaFinding> {
  const reason = "BAD_LIST_KEY";
  if (typeof value !== "string" || value === "") {
    yield finding(path, reason, `${LIST_KEY} is the name of a field`, "write a text");
    return;
  }
  if (schema["type"] !== "array") {
    yield finding(path, reason, `${LIST_KEY} stands at a schema that is no array`, 'add "type": "array"');
    return;
  }
  const items = follow(root, schema["items"]);
  const properties = isSchemaObject(items) ? items["properties"] : undefined;
  if (!isSchemaObject(items) || !isSchemaObject(properties) || !Object.hasOwn(properties, value)) {
    const near = nearestName(value, isSchemaObject(properties) ? Object.keys(properties) : []);
    const remedy = near === undefined ? `add ${value} to items.properties` : `did you mean ${near}?`;
    yield finding(path, reason, `the items have no field ${JSON.stringify(value)}`, remedy);
    return;
  }
  const type = follow(root, properties[value]);
  if (!isSchemaObject(type) || (type["type"] !== "string" && type["type"] !== "integer")) {
    yield finding(
      path,
      reason,
      `the key ${JSON.stringify(value)} is no text and no integer`,
      "declare it as string",
    );
  }
  if (!Array.isArray(items["required"]) || !items["required"].includes(value)) {
    yield finding(
      path,
      reason,
      `the key ${JSON.stringify(value)} is not required`,
      "add it to items.required",
    );
  }
}

function follow(root: SchemaObject, schema: unknown): unknown {
  if (!isSchemaObject(schema) || typeof schema["$ref"] !== "string") return schema;
  return resolveReference(root, schema["$ref"]);
}
