/** From CEL's values back to JSON. */
import { Duration } from "./cel-library.ts";
import { CEL_RESULT_MAX, JSON_DEPTH_MAX } from "./limits.ts";

export class ResultError extends Error {
  override name = "ResultError";
}

/** Throws `ResultError` for what JSON cannot hold. The result shares nothing with the expression's inputs. */
export function toJson(value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return finite(value);
    case "bigint":
      return safeInteger(value);
    default:
      return value === null ? null : convert(value, { left: CEL_RESULT_MAX }, JSON_DEPTH_MAX);
  }
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new ResultError(`the result is ${value}, which JSON cannot hold; was something divided by zero?`);
}

function safeInteger(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new ResultError(
    `the result ${value} is too large for a number in JSON; make it a text with string()`,
  );
}

function convert(value: unknown, budget: { left: number }, depthLeft: number): unknown {
  budget.left -= typeof value === "string" ? 1 + value.length : 1;
  if (budget.left < 0)
    throw new ResultError(`the result has more than ${CEL_RESULT_MAX} characters and values`);
  if (typeof value === "number") return finite(value);
  if (typeof value === "bigint") return safeInteger(value);
  if (typeof value !== "object" || value === null) {
    if (value === undefined || typeof value === "function")
      throw new ResultError("the result is no value of JSON");
    return value;
  }
  if (depthLeft === 0) throw new ResultError(`the result is nested deeper than ${JSON_DEPTH_MAX} levels`);
  if (Array.isArray(value) || value instanceof Set) {
    return Array.from(value as Iterable<unknown>, (item) => convert(item, budget, depthLeft - 1));
  }
  if (value instanceof Map) return convertFields(value as Map<unknown, unknown>, budget, depthLeft);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return convertFields(Object.entries(value), budget, depthLeft);
  }
  return special(value);
}

function convertFields(
  entries: Iterable<readonly [unknown, unknown]>,
  budget: { left: number },
  depthLeft: number,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    const name = String(key);
    if (name === "__proto__") throw new ResultError('the name "__proto__" is not allowed in JSON');
    copy[name] = convert(item, budget, depthLeft - 1);
  }
  return copy;
}

function special(value: object): unknown {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Duration) return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  const own = value.valueOf() as unknown;
  if (typeof own === "bigint") return safeInteger(own); // CEL's unsigned integers
  throw new ResultError("the result is no value of JSON");
}
