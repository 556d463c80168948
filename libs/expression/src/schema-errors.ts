/** ajv's errors as sentences that people understand, with dot paths. */
import type { ErrorObject } from "ajv";
import { SCHEMA_ERRORS_MAX } from "./limits.ts";
import { nearestName } from "./nearest.ts";
import { isSchemaObject } from "./schema-keywords.ts";

export type ValueError = {
  /** `carrier.code`, `rows[3].key`; empty: the value itself. */
  readonly path: string;
  readonly message: string;
};

/** A branch that failed says less than what its failure means. */
const summaries = new Set(["anyOf", "oneOf", "if", "not", "$ref", "allOf"]);

export function describe(errors: readonly ErrorObject[], value: unknown): readonly ValueError[] {
  const described: ValueError[] = [];
  const seen = new Set<string>();
  for (const error of errors.slice(0, SCHEMA_ERRORS_MAX * 4)) {
    if (error.keyword === "if" || error.keyword === "$ref") continue;
    if (
      summaries.has(error.keyword) &&
      error.keyword !== "not" &&
      described.length > 0 &&
      isExplained(error, errors)
    )
      continue;
    const one = describeOne(error, value);
    const id = `${one.path}\n${one.message}`;
    if (seen.has(id)) continue;
    seen.add(id);
    described.push(one);
    if (described.length === SCHEMA_ERRORS_MAX) break;
  }
  return described;
}

function isExplained(error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  return errors.some(
    (other) =>
      other !== error && other.instancePath.startsWith(error.instancePath) && !summaries.has(other.keyword),
  );
}

function describeOne(error: ErrorObject, value: unknown): ValueError {
  const tokens = error.instancePath
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  const at = lookUp(value, tokens);
  const params = error.params as Readonly<Record<string, unknown>>;
  const extra = text(
    params["missingProperty"] ?? params["additionalProperty"] ?? params["unevaluatedProperty"],
  );
  const path = dotPath(extra === "" ? tokens : [...tokens, extra], value);
  return { path, message: sentence(error, params, at) };
}

function sentence(error: ErrorObject, params: Readonly<Record<string, unknown>>, at: unknown): string {
  const limit = text(params["limit"]);
  switch (error.keyword) {
    case "type":
      // 1e999 is JSON, and no double holds it.
      if (typeof at === "number" && !Number.isFinite(at)) return "is too large for a number";
      return `must be ${typeNames(params["type"])}, is ${typeOf(at)}`;
    case "required":
      return "is required";
    case "dependentRequired":
      return `is required with ${text(params["property"])}`;
    case "additionalProperties":
    case "unevaluatedProperties":
      return `is not a known field${guess(error, params)}`;
    case "unevaluatedItems":
      return `must have at most ${text(params["len"])} items`;
    case "enum":
      return `must be one of ${list(error.schema ?? params["allowedValues"])}`;
    case "const":
      return `must be ${short(params["allowedValue"])}`;
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return `must be ${text(params["comparison"])} ${limit}, is ${short(at)}`;
    case "multipleOf":
      return `must be a multiple of ${text(params["multipleOf"])}, is ${short(at)}`;
    case "minLength":
      return `must have at least ${limit} characters`;
    case "maxLength":
      return `must have at most ${limit} characters`;
    case "minItems":
      return `must have at least ${limit} items`;
    case "maxItems":
      return `must have at most ${limit} items`;
    case "minProperties":
      return `must have at least ${limit} fields`;
    case "maxProperties":
      return `must have at most ${limit} fields`;
    case "uniqueItems":
      return "must not hold the same item twice";
    case "pattern":
      return `must match ${text(params["pattern"])}, is ${short(at)}`;
    case "format":
      return `must be a valid ${text(params["format"])}, is ${short(at)}`;
    case "propertyNames":
      return `has the name ${short(params["propertyName"])}, which is not allowed`;
    case "contains":
      return "holds too few or too many of the items that it must contain";
    case "anyOf":
    case "oneOf":
      return params["passingSchemas"] == null
        ? "fits none of the allowed forms"
        : "fits more than one of the allowed forms, must fit exactly one";
    case "not":
      return "has a form that is not allowed";
    case "false schema":
      return "is not allowed";
    default:
      return error.message ?? `breaks the rule ${error.keyword}`;
  }
}

function guess(error: ErrorObject, params: Readonly<Record<string, unknown>>): string {
  const name = text(params["additionalProperty"] ?? params["unevaluatedProperty"]);
  const properties = error.parentSchema?.["properties"] as unknown;
  const near = isSchemaObject(properties) ? nearestName(name, Object.keys(properties)) : undefined;
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function lookUp(value: unknown, tokens: readonly string[]): unknown {
  let at = value;
  for (const token of tokens) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, token)) return undefined;
    at = (at as Record<string, unknown>)[token];
  }
  return at;
}

function dotPath(tokens: readonly string[], value: unknown): string {
  let path = "";
  let at = value;
  for (const token of tokens) {
    if (Array.isArray(at)) path += `[${token}]`;
    else if (/^[\w$-]{1,64}$/.test(token)) path += path === "" ? token : `.${token}`;
    else path += `[${short(token)}]`;
    at = lookUp(at, [token]);
  }
  return path;
}

function typeNames(type: unknown): string {
  const names = Array.isArray(type) ? type.map(String) : text(type).split(",");
  return names.map(article).join(" or ");
}

function article(type: string): string {
  if (type === "null") return "null";
  return /^[aio]/.test(type) ? `an ${type}` : `a ${type}`;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return article(typeof value);
}

function list(values: unknown): string {
  const all = Array.isArray(values) ? values : [values];
  const shown = all.slice(0, 10).map(short).join(", ");
  return all.length > 10 ? `${shown}, …` : shown;
}

function short(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 64 ? `${json.slice(0, 63)}…` : json;
}

function text(value: unknown): string {
  if (value == null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
