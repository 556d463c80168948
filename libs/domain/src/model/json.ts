/** JSON as values. Everything here was parsed, so there are no functions, no cycles and no `undefined`. */
import canonicalize from "canonicalize";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [name: string]: JsonValue };

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The own property, or undefined: what a spec inherits is none of it. */
export function field(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** RFC 8785: one text for one value. Throws on what JSON cannot say (a lone surrogate, an infinite number). */
export function canonicalJson(value: JsonValue): string {
  const text = canonicalize(value) as string;
  // Reading it makes V8 put the pieces together: a text that is kept would else keep all of them.
  text.charCodeAt(0);
  return text;
}

export function equalJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (isArray(a) && isArray(b))
    return a.length === b.length && a.every((item, index) => equalJson(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equalJson(a[name], b[name]))
  );
}
