/** A JSON Schema from samples, for data that comes without one. */
import { isSchemaObject } from "./schema-keywords.ts";

/** What was seen at one place of the samples. */
type Seen = {
  count: number;
  objects: number;
  readonly types: Set<"string" | "integer" | "number" | "boolean" | "null" | "array" | "object">;
  readonly fields: Map<string, Seen>;
  items: Seen | undefined;
};

/** Distinct names at one place beyond which an object is a map from keys, and not a record. */
const fieldsMax = 1_000;

/**
 * The schema that all the samples fit: a field is required if every object had it; null beside a type makes it
 * nullable; different types make a union. Samples are JSON values; of no samples it says nothing.
 */
export function inferSchema(values: Iterable<unknown>): Readonly<Record<string, unknown>> {
  const seen = unseen();
  for (const value of values) see(seen, value);
  return schemaOf(seen);
}

function unseen(): Seen {
  return { count: 0, objects: 0, types: new Set(), fields: new Map(), items: undefined };
}

function see(seen: Seen, value: unknown): void {
  seen.count += 1;
  if (value === null) {
    seen.types.add("null");
  } else if (Array.isArray(value)) {
    seen.types.add("array");
    seen.items ??= unseen();
    for (const item of value) see(seen.items, item);
  } else if (isSchemaObject(value)) {
    seen.types.add("object");
    seen.objects += 1;
    for (const name of Object.keys(value)) {
      if (value[name] === undefined) continue;
      const field = seen.fields.get(name) ?? unseen();
      see(field, value[name]);
      seen.fields.set(name, field);
    }
  } else if (typeof value === "number") {
    seen.types.add(Number.isInteger(value) ? "integer" : "number");
  } else if (typeof value === "string" || typeof value === "boolean") {
    seen.types.add(typeof value as "string" | "boolean");
  }
}

function schemaOf(seen: Seen): Record<string, unknown> {
  const types = [...seen.types].filter((type) => type !== "integer" || !seen.types.has("number"));
  if (types.length === 0) return {};
  const schema: Record<string, unknown> = { type: types.length === 1 ? types[0] : types.toSorted() };
  if (seen.types.has("object")) describeObject(seen, schema);
  if (seen.items !== undefined && seen.items.count > 0) schema["items"] = schemaOf(seen.items);
  return schema;
}

function describeObject(seen: Seen, schema: Record<string, unknown>): void {
  const names = [...seen.fields.keys()];
  if (names.length > fieldsMax) {
    const all = unseen();
    for (const field of seen.fields.values()) merge(all, field);
    schema["additionalProperties"] = schemaOf(all);
    return;
  }
  const required = names.filter((name) => seen.fields.get(name)?.count === seen.objects);
  schema["properties"] = Object.fromEntries(
    [...seen.fields].filter(([name]) => name !== "__proto__").map(([name, field]) => [name, schemaOf(field)]),
  );
  if (required.length > 0) schema["required"] = required.toSorted();
}

function merge(into: Seen, from: Seen): void {
  into.count += from.count;
  into.objects += from.objects;
  for (const type of from.types) into.types.add(type);
  for (const [name, field] of from.fields) {
    const known = into.fields.get(name) ?? unseen();
    merge(known, field);
    into.fields.set(name, known);
  }
  if (from.items !== undefined) {
    into.items ??= unseen();
    merge(into.items, from.items);
  }
}
