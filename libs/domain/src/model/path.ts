/**
 * Places in a spec. `select.payout`, `joins[0].table`, `labels["a.b"]`: what findings and conflicts say.
 * `from`, `tables[]`, `joins[].table`: where a kind's references stand, `[]` for each item of an array.
 */
import { field, isArray, isObject, type JsonValue } from "./json.ts";

const PLAIN = /^[A-Za-z_$][A-Za-z0-9_$-]*$/;

export function fieldPath(parent: string, name: string): string {
  if (!PLAIN.test(name)) return `${parent}[${JSON.stringify(name)}]`;
  return parent === "" ? name : `${parent}.${name}`;
}

export function itemPath(parent: string, index: number): string {
  return `${parent}[${index}]`;
}

/** An item of a list that is merged by key: `rows[code="JFK"]`. */
export function keyedItemPath(parent: string, keyName: string, key: string | number): string {
  return `${parent}[${keyName}=${JSON.stringify(key)}]`;
}

declare const brand: unique symbol;
/** A checked reference path. */
export type ReferencePath = readonly string[] & { readonly [brand]: "ReferencePath" };

const ITEMS = "[]";

/** `joins[].table` → its steps, or undefined when it is no such path. */
export function parseReferencePath(text: string): ReferencePath | undefined {
  const steps: string[] = [];
  for (const segment of text.split(".")) {
    const match = /^([A-Za-z_$][A-Za-z0-9_$-]*)((?:\[\])*)$/.exec(segment);
    if (match === null) return undefined;
    steps.push(match[1] as string);
    for (let depth = 0; depth < (match[2] as string).length; depth += ITEMS.length) steps.push(ITEMS);
  }
  return steps as unknown as ReferencePath;
}

export type Found = { readonly path: string; readonly value: JsonValue };

/** Every value that stands at the path. What is absent, or of another shape, is the schema's business. */
export function valuesAt(spec: JsonValue, path: ReferencePath): readonly Found[] {
  let found: Found[] = [{ path: "", value: spec }];
  for (const step of path) {
    found = found.flatMap(({ path: parent, value }): Found[] => {
      if (step === ITEMS)
        return isArray(value)
          ? value.map((item, index) => ({ path: itemPath(parent, index), value: item }))
          : [];
      const inner = isObject(value) ? field(value, step) : undefined;
      return inner === undefined ? [] : [{ path: fieldPath(parent, step), value: inner }];
    });
  }
  return found;
}
