/**
 * Three-way merge of one entity, field by field. What only one side changed is taken over; what both changed alike
 * is agreed; everything else is a conflict, listed and never silently resolved. An array is one value, unless its
 * schema names a list key (`x-greco-list-key`), and then its items are merged by that key.
 */
import { equalJson, field, isArray, isObject, type JsonObject, type JsonValue } from "./json.ts";
import { fieldPath, keyedItemPath } from "./path.ts";
import { itemSchema, listKeyOf, propertySchema, type SchemaAt } from "./schema-walk.ts";

export type Side = "draft" | "head";

export type FieldConflict = {
  readonly path: string;
  readonly base: JsonValue | undefined;
  readonly draft: JsonValue | undefined;
  readonly head: JsonValue | undefined;
};

/** How the conflict at a path is to be settled; undefined: it is not. */
export type Resolve = (path: string) => Side | undefined;

export type Merged = { readonly value: JsonValue | undefined; readonly conflicts: readonly FieldConflict[] };

type Three<T> = { readonly base: T; readonly draft: T; readonly head: T };

/** Undefined is absent. `schema` is the kind's. */
export function mergeThree(
  three: Three<JsonValue | undefined>,
  schema: JsonObject,
  resolve: Resolve,
): Merged {
  const conflicts: FieldConflict[] = [];
  const merge = (values: Three<JsonValue | undefined>, at: SchemaAt, path: string): JsonValue | undefined => {
    const { base, draft, head } = values;
    if (equalJson(draft, head)) return draft;
    if (equalJson(base, draft)) return head;
    if (equalJson(base, head)) return draft;
    if (isObject(base) && isObject(draft) && isObject(head))
      return mergeObjects({ base, draft, head }, at, path);
    const key = listKeyOf(at);
    if (key !== undefined) {
      const lists = { base: keyed(base, key), draft: keyed(draft, key), head: keyed(head, key) };
      if (allKeyed(lists)) return mergeLists(lists, key, at, path);
    }
    const side = resolve(path);
    if (side === undefined) conflicts.push({ path, base, draft, head });
    return side === "draft" ? draft : head;
  };
  const mergeObjects = ({ base, draft, head }: Three<JsonObject>, at: SchemaAt, path: string): JsonObject => {
    const names = new Set([...Object.keys(head), ...Object.keys(draft)]);
    const merged: [string, JsonValue][] = [];
    for (const name of names) {
      const values = { base: field(base, name), draft: field(draft, name), head: field(head, name) };
      const value = merge(values, propertySchema(at, name), fieldPath(path, name));
      if (value !== undefined) merged.push([name, value]);
    }
    return Object.fromEntries(merged);
  };
  const mergeLists = (lists: Three<Keyed>, name: string, at: SchemaAt, path: string): JsonValue => {
    const items: JsonValue[] = [];
    // The head's order, then what only the draft has.
    for (const key of new Set([...lists.head.keys(), ...lists.draft.keys()])) {
      const values = { base: lists.base.get(key), draft: lists.draft.get(key), head: lists.head.get(key) };
      const item = merge(values, itemSchema(at), keyedItemPath(path, name, key));
      if (item !== undefined) items.push(item);
    }
    return items;
  };
  const value = merge(three, { root: schema, schema }, "");
  return { value, conflicts };
}

type Keyed = ReadonlyMap<string | number, JsonValue>;

/** Items by key; undefined where they cannot be told apart, and then the array is one value. */
function keyed(value: JsonValue | undefined, name: string): Keyed | undefined {
  if (!isArray(value)) return undefined;
  const items = new Map<string | number, JsonValue>();
  for (const item of value) {
    const key = isObject(item) ? field(item, name) : undefined;
    if ((typeof key !== "string" && typeof key !== "number") || items.has(key)) return undefined;
    items.set(key, item);
  }
  return items;
}

function allKeyed(lists: Three<Keyed | undefined>): lists is Three<Keyed> {
  return lists.base !== undefined && lists.draft !== undefined && lists.head !== undefined;
}
