/**
 * What CEL knows of a JSON Schema. JSON has one kind of number, so `integer` and `number` are both `double`. What
 * may be one thing or another (nullable, a union, an open object) is `dyn`, which CEL checks when it runs.
 */
import { CEL_TYPES_MAX, JSON_DEPTH_MAX } from "./limits.ts";
import { isSchemaObject, resolveReference, type SchemaObject } from "./schema-keywords.ts";

export type CelType =
  | { readonly kind: "dyn" | "string" | "double" | "bool" | "null" }
  | { readonly kind: "list" | "map"; readonly of: CelType }
  | { readonly kind: "object"; readonly path: string; readonly fields: ReadonlyMap<string, CelType> };

const dyn: CelType = { kind: "dyn" };
const scalars: Readonly<Record<string, CelType>> = {
  string: { kind: "string" },
  number: { kind: "double" },
  integer: { kind: "double" },
  boolean: { kind: "bool" },
  null: { kind: "null" },
};

/** `path` names the place in messages, e.g. `event.carrier`. */
export function celTypeOf(schema: unknown, path: string, budget = { types: CEL_TYPES_MAX }): CelType {
  return convert({ root: schema, budget, following: new Set() }, schema, path, 0);
}

type Conversion = {
  readonly root: unknown;
  readonly budget: { types: number };
  /** `$ref`s on the way here: a recursive one is `dyn`. */
  readonly following: Set<string>;
};

function convert(conversion: Conversion, schema: unknown, path: string, depth: number): CelType {
  if (!isSchemaObject(schema) || depth > JSON_DEPTH_MAX) return dyn;
  const reference = schema["$ref"];
  if (typeof reference === "string") return follow(conversion, reference, path, depth);
  if (Array.isArray(schema["allOf"])) return convertAll(conversion, schema, path, depth);
  if (schema["anyOf"] !== undefined || schema["oneOf"] !== undefined) {
    // Branches that only restrict leave the type as it is stated.
    return typeof schema["type"] === "string" ? convertTyped(conversion, schema, path, depth) : dyn;
  }
  return convertTyped(conversion, schema, path, depth);
}

function follow(conversion: Conversion, reference: string, path: string, depth: number): CelType {
  if (conversion.following.has(reference)) return dyn;
  conversion.following.add(reference);
  try {
    return convert(conversion, resolveReference(conversion.root, reference), path, depth + 1);
  } finally {
    conversion.following.delete(reference);
  }
}

/** Objects that must hold all at once have the fields of all. */
function convertAll(conversion: Conversion, schema: SchemaObject, path: string, depth: number): CelType {
  const { allOf, ...own } = schema;
  const parts = [own, ...(allOf as unknown[])].map((part) => convert(conversion, part, path, depth + 1));
  const known = parts.filter((part) => part.kind !== "dyn");
  const [first, ...others] = known;
  if (first === undefined) return dyn;
  if (others.length === 0) return first;
  const fields = new Map<string, CelType>();
  for (const part of known) {
    if (part.kind !== "object") return dyn;
    for (const [name, type] of part.fields) fields.set(name, type);
  }
  return { kind: "object", path, fields };
}

function convertTyped(conversion: Conversion, schema: SchemaObject, path: string, depth: number): CelType {
  const type = typeName(schema);
  if (type === "array") {
    const items = schema["prefixItems"] === undefined ? schema["items"] : undefined;
    return { kind: "list", of: convert(conversion, items, `${path}[]`, depth + 1) };
  }
  if (type === "object") return convertObject(conversion, schema, path, depth);
  return (type !== undefined && Object.hasOwn(scalars, type) && scalars[type]) || dyn;
}

function typeName(schema: SchemaObject): string | undefined {
  const type = schema["type"];
  if (typeof type === "string") return type;
  if (Array.isArray(type)) {
    if (type.length === 1) return String(type[0]);
    return type.length > 0 && type.every((one) => one === "number" || one === "integer")
      ? "number"
      : undefined;
  }
  const values = Object.hasOwn(schema, "const") ? [schema["const"]] : schema["enum"];
  if (Array.isArray(values) && values.length > 0) {
    const names = new Set(values.map((value) => (value === null ? "null" : typeof value)));
    const [name] = names;
    return names.size === 1 && name !== "object" ? name : undefined;
  }
  return isSchemaObject(schema["properties"]) ? "object" : undefined;
}

function convertObject(conversion: Conversion, schema: SchemaObject, path: string, depth: number): CelType {
  const properties = schema["properties"];
  const others = schema["additionalProperties"];
  if (!isSchemaObject(properties)) {
    if (schema["patternProperties"] !== undefined) return { kind: "map", of: dyn };
    if (others === false) return { kind: "object", path, fields: new Map() };
    return { kind: "map", of: convert(conversion, others, `${path}[]`, depth + 1) };
  }
  // Declared open: it may hold names that nobody declared.
  if (others === true || isSchemaObject(others) || schema["patternProperties"] !== undefined) return dyn;
  conversion.budget.types -= 1;
  if (conversion.budget.types < 0) return dyn;
  const fields = new Map<string, CelType>();
  for (const name of Object.keys(properties)) {
    fields.set(name, convert(conversion, properties[name], `${path}.${name}`, depth + 1));
  }
  return { kind: "object", path, fields };
}

/** The other way: the JSON Schema of what an expression of this type gives. */
export function schemaOfCelType(type: CelType): SchemaObject {
  switch (type.kind) {
    case "dyn":
      return {};
    case "string":
      return { type: "string" };
    case "double":
      return { type: "number" };
    case "bool":
      return { type: "boolean" };
    case "null":
      return { type: "null" };
    case "list":
      return { type: "array", items: schemaOfCelType(type.of) };
    case "map":
      return { type: "object", additionalProperties: schemaOfCelType(type.of) };
    case "object": {
      const fields = [...type.fields].map(([name, field]) => [name, schemaOfCelType(field)] as const);
      return { type: "object", properties: Object.fromEntries(fields) };
    }
  }
}
