/**
 * Walks a JSON Schema beside a value, as far as a merge needs: `properties`, `additionalProperties`, `items`, and
 * `$ref` within the schema. Where it cannot follow, an array is one value.
 */
import { field, isObject, type JsonObject, type JsonValue } from "./json.ts";

export type SchemaAt = { readonly root: JsonObject; readonly schema: JsonObject | undefined };

const REF_STEPS_MAX = 16;

export function propertySchema(at: SchemaAt, name: string): SchemaAt {
  const schema = resolved(at);
  const properties = schema && field(schema, "properties");
  const own = isObject(properties) ? field(properties, name) : undefined;
  return within(at, own ?? (schema && field(schema, "additionalProperties")));
}

export function itemSchema(at: SchemaAt): SchemaAt {
  const schema = resolved(at);
  return within(at, schema && field(schema, "items"));
}

/** `x-greco-list-key` of an array's schema. */
export function listKeyOf(at: SchemaAt): string | undefined {
  const schema = resolved(at);
  const key = schema && field(schema, "x-greco-list-key");
  return typeof key === "string" ? key : undefined;
}

function within({ root }: SchemaAt, schema: JsonValue | undefined): SchemaAt {
  return { root, schema: isObject(schema) ? schema : undefined };
}

function resolved({ root, schema }: SchemaAt): JsonObject | undefined {
  let current: JsonValue | undefined = schema;
  for (let step = 0; step < REF_STEPS_MAX && isObject(current); step++) {
    const reference = field(current, "$ref");
    if (typeof reference !== "string") return current;
    current = pointed(root, reference);
  }
  return undefined;
}

/** `#/$defs/row` */
function pointed(root: JsonObject, reference: string): JsonValue | undefined {
  if (!reference.startsWith("#/")) return undefined;
  let current: JsonValue | undefined = root;
  for (const step of reference.slice(2).split("/")) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    current = isObject(current) ? field(current, name) : undefined;
  }
  return current;
}
