/**
 * A handler's result as JSON text. `JSON.stringify` makes `null` of NaN and `{}` of a Map without a word; here
 * what JSON cannot hold is an error that says where it stands.
 */
const depthMax = 64;

export class ResultError extends Error {
  override name = "ResultError";
}

/** Throws `ResultError`. */
export function toJsonText(value: unknown): string {
  check(value, "result", depthMax);
  const text: unknown = JSON.stringify(value);
  if (typeof text !== "string") throw new ResultError("result is no value of JSON");
  return text;
}

function check(value: unknown, path: string, depthLeft: number): void {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      throw new ResultError(`${path} is ${value}, which JSON cannot hold`);
    case "object":
      break;
    default:
      throw new ResultError(
        `${path} is ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}, no JSON`,
      );
  }
  if (value === null) return;
  if (depthLeft === 0)
    throw new ResultError(`${path.slice(0, 80)}… is nested deeper than ${depthMax} levels, or in itself`);
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) check(item, `${path}[${index}]`, depthLeft - 1);
    return;
  }
  if ("toJSON" in value && typeof value.toJSON === "function") {
    check((value.toJSON as (key: string) => unknown)(""), path, depthLeft - 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new ResultError(
      `${path} is a ${value.constructor?.name ?? "class"}, no JSON; make a plain object of it`,
    );
  }
  for (const [name, item] of Object.entries(value)) {
    if (name === "__proto__") throw new ResultError(`${path} has a field "__proto__", which is not allowed`);
    // As JSON does: a field without a value is left out.
    if (item !== undefined) check(item, `${path}.${name}`, depthLeft - 1);
  }
}
