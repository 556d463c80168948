/** The keywords of JSON Schema 2020-12 that are understood, and where their subschemas are. */

export const oneSubschema = [
  "items",
  "contains",
  "additionalProperties",
  "propertyNames",
  "not",
  "if",
  "then",
  "else",
  "unevaluatedItems",
  "unevaluatedProperties",
] as const;
export const listOfSubschemas = ["prefixItems", "allOf", "anyOf", "oneOf"] as const;
export const namedSubschemas = [
  "properties",
  "patternProperties",
  "dependentSchemas",
  "$defs",
  "definitions",
] as const;

/** Our own: the items of this array are told apart by this field, so a rebase merges them one by one. */
export const LIST_KEY = "x-greco-list-key";

const plain = [
  "$schema",
  "$id",
  "$anchor",
  "$ref",
  "$comment",
  "type",
  "enum",
  "const",
  "multipleOf",
  "maximum",
  "exclusiveMaximum",
  "minimum",
  "exclusiveMinimum",
  "maxLength",
  "minLength",
  "pattern",
  "maxItems",
  "minItems",
  "uniqueItems",
  "maxContains",
  "minContains",
  "maxProperties",
  "minProperties",
  "required",
  "dependentRequired",
  "format",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "title",
  "description",
  "default",
  "deprecated",
  "readOnly",
  "writeOnly",
  "examples",
  LIST_KEY,
] as const;

export const knownKeywords: ReadonlySet<string> = new Set<string>([
  ...oneSubschema,
  ...listOfSubschemas,
  ...namedSubschemas,
  ...plain,
]);

/** Keywords of other dialects: what to write instead. */
export const foreignKeywords: ReadonlyMap<string, string> = new Map([
  ["nullable", 'write "type": [<the type>, "null"]'],
  ["discriminator", "write oneOf with a const in each branch"],
  ["additionalItems", "write items (and prefixItems for the first ones)"],
  ["dependencies", "write dependentRequired or dependentSchemas"],
  ["id", "write $id"],
  ["$recursiveRef", "write $ref"],
  ["$recursiveAnchor", "write $anchor"],
  ["$dynamicRef", "write $ref"],
  ["$dynamicAnchor", "write $anchor"],
  ["$vocabulary", "remove it"],
  ["$async", "remove it"],
  ["example", "write examples"],
]);

export type SchemaObject = Readonly<Record<string, unknown>>;

export function isSchemaObject(value: unknown): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every subschema of a schema with the path of keywords that leads to it; not those behind `$ref`. */
export function* subschemas(schema: SchemaObject): Generator<readonly [path: string, subschema: unknown]> {
  for (const keyword of oneSubschema) {
    if (Object.hasOwn(schema, keyword)) yield [keyword, schema[keyword]];
  }
  for (const keyword of listOfSubschemas) {
    const list = schema[keyword];
    if (Array.isArray(list)) for (const [index, item] of list.entries()) yield [`${keyword}[${index}]`, item];
  }
  for (const keyword of namedSubschemas) {
    const named = schema[keyword];
    if (isSchemaObject(named))
      for (const name of Object.keys(named)) yield [`${keyword}.${name}`, named[name]];
  }
}

/** The subschema that `#…` names within `root`, by JSON pointer or `$anchor`. */
export function resolveReference(root: unknown, reference: string): unknown {
  if (!reference.startsWith("#")) return undefined;
  const fragment = decode(reference.slice(1));
  if (fragment === undefined) return undefined;
  if (fragment === "") return root;
  if (!fragment.startsWith("/")) return findAnchor(root, fragment);
  let at: unknown = root;
  for (const token of fragment.slice(1).split("/")) {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

function decode(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined; // no such reference then
  }
}

function findAnchor(schema: unknown, anchor: string): unknown {
  if (!isSchemaObject(schema)) return undefined;
  if (schema["$anchor"] === anchor) return schema;
  for (const [, subschema] of subschemas(schema)) {
    const found = findAnchor(subschema, anchor);
    if (found !== undefined) return found;
  }
  return undefined;
}
