/**
 * Messages as scripts want them: 64-bit integers as numbers where they are exact, and JSON texts (`spec_json`)
 * as the JSON that they are, under the name without `_json`.
 */
import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";

export function plain<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject {
  return objectOf(schema, toJson(schema, message, { alwaysEmitImplicit: true }) as JsonObject);
}

const INTEGERS: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

function objectOf(schema: DescMessage, json: JsonObject): JsonObject {
  const out: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(json)) {
    const field = schema.fields.find((each) => each.jsonName === name);
    if (field === undefined) out.push([name, value]);
    else if (field.name.endsWith("_json") && typeof value === "string") {
      // Empty: there is none (the side of a difference that does not exist).
      if (value !== "") out.push([name.replace(/Json$/, ""), jsonOf(value)]);
    } else out.push([name, valueOf(field, value)]);
  }
  return Object.fromEntries(out);
}

function valueOf(field: DescField, value: JsonValue): JsonValue {
  if (field.fieldKind === "list" && Array.isArray(value)) return value.map((each) => single(field, each));
  if (field.fieldKind === "map" && typeof value === "object" && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, single(field, each)]));
  return single(field, value);
}

function single({ message, scalar }: DescField, value: JsonValue): JsonValue {
  if (scalar !== undefined && INTEGERS.has(scalar)) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  // Google's own messages (times, durations) have a JSON form of their own.
  if (message === undefined || message.typeName.startsWith("google.")) return value;
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? objectOf(message, value)
    : value;
}

function jsonOf(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (_notJson) {
    return text;
  }
}
