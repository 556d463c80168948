/** Does what a query gives fit the stream that it writes to, as far as types tell. What may be anything passes. */
import { celShapeOf } from "@greco/expression";
import { nearest } from "@greco/service-kit";

export type OutputFinding = {
  /** Of `select`; undefined: the output as a whole. */
  readonly field?: string;
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
};

type Schema = Readonly<Record<string, unknown>>;
const isSchema = (value: unknown): value is Schema => typeof value === "object" && value !== null;

/** `given`: for each field of `select` the JSON Schema of what its expression gives. */
export function checkOutputs(
  stream: string,
  target: unknown,
  given: Readonly<Record<string, Schema>>,
): readonly OutputFinding[] {
  if (target === false)
    return [
      {
        reason: "OUTPUT_REFUSED",
        message: `stream ${stream} takes no message`,
        remedy: "correct its schema",
      },
    ];
  if (!isSchema(target)) return [];
  const shape = celShapeOf(target);
  const { type } = shape as { readonly type?: string };
  if (type !== undefined && type !== "object")
    return [
      {
        reason: "OUTPUT_TYPE",
        message: `select gives an object, and messages of stream ${stream} are of type ${type}`,
        remedy: "write to a stream of objects, or use a handler",
      },
    ];
  return [...missing(stream, target, given), ...wrong(stream, target, shape, given)];
}

function missing(
  stream: string,
  target: Schema,
  given: Readonly<Record<string, Schema>>,
): readonly OutputFinding[] {
  const required = Array.isArray(target["required"]) ? (target["required"] as unknown[]).map(String) : [];
  return required
    .filter((field) => !Object.hasOwn(given, field))
    .map((field) => {
      const unknown = Object.keys(given).filter((each) => !required.includes(each));
      const near = nearest(field, unknown);
      return {
        reason: "OUTPUT_FIELD_MISSING",
        message: `stream ${stream} requires the field ${JSON.stringify(field)}, which select does not give`,
        remedy: near === undefined ? `add ${field} to select` : `add ${field} to select; is it ${near}?`,
      };
    });
}

function wrong(
  stream: string,
  target: Schema,
  shape: Schema,
  given: Readonly<Record<string, Schema>>,
): readonly OutputFinding[] {
  const properties = isSchema(shape["properties"]) ? shape["properties"] : {};
  const declared = isSchema(target["properties"]) ? target["properties"] : undefined;
  const closed = target["additionalProperties"] === false && target["patternProperties"] === undefined;
  return Object.entries(given).flatMap(([field, type]): OutputFinding[] => {
    if (closed && declared !== undefined && !Object.hasOwn(declared, field)) {
      const near = nearest(field, Object.keys(declared));
      return [
        {
          field,
          reason: "OUTPUT_FIELD_UNKNOWN",
          message: `stream ${stream} has no field ${JSON.stringify(field)}, and takes no others`,
          remedy: near === undefined ? "leave it out, or declare it in the stream" : `did you mean ${near}?`,
        },
      ];
    }
    const wanted = Object.hasOwn(properties, field) ? properties[field] : undefined;
    const clash = isSchema(wanted) ? clashOf(type, wanted, "") : undefined;
    if (clash === undefined) return [];
    return [
      {
        field,
        reason: "OUTPUT_TYPE",
        message: `it gives ${clash.given}${clash.at}, and stream ${stream} takes ${clash.wanted}`,
        remedy: "convert it (string(), double(), int()), or change the stream in the same draft",
      },
    ];
  });
}

type Clash = { readonly at: string; readonly given: string; readonly wanted: string };

/** Both sides are shapes: a type, or nothing said. */
function clashOf(given: Schema, wanted: Schema, at: string): Clash | undefined {
  const [a, b] = [given["type"], wanted["type"]];
  if (typeof a !== "string" || typeof b !== "string") return undefined;
  if (a !== b) return { at: at === "" ? "" : ` at ${at}`, given: article(a), wanted: article(b) };
  const inner = (one: Schema, other: Schema, place: string): Clash | undefined => clashOf(one, other, place);
  if (isSchema(given["items"]) && isSchema(wanted["items"]))
    return inner(given["items"], wanted["items"], `${at}[]`);
  if (!isSchema(given["properties"]) || !isSchema(wanted["properties"])) return undefined;
  for (const [name, type] of Object.entries(given["properties"])) {
    const other = Object.hasOwn(wanted["properties"], name) ? wanted["properties"][name] : undefined;
    const clash = isSchema(type) && isSchema(other) ? inner(type, other, `${at}.${name}`) : undefined;
    if (clash !== undefined) return clash;
  }
  return undefined;
}

const article = (type: string): string =>
  type === "null" ? type : `${/^[aio]/.test(type) ? "an" : "a"} ${type}`;
