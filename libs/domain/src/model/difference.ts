/** What differs between two states of a model, in key order. */
import type { Change, ChangeSet } from "./change-set.ts";
import type { EntityKey } from "./ids.ts";
import { OrderedMap } from "./ordered-map.ts";
import type { EntityState, ModelState } from "./state.ts";

export type DifferenceKind = "create" | "update" | "delete";

export type Difference = {
  readonly entity: EntityKey;
  readonly kind: DifferenceKind;
  readonly before: EntityState | undefined;
  readonly after: EntityState | undefined;
};

/** One entity's; undefined when both sides are the same. */
export function differenceOf(
  key: string,
  before: EntityState | undefined,
  after: EntityState | undefined,
): Difference | undefined {
  const entity = key as EntityKey;
  if (before === undefined)
    return after === undefined ? undefined : { entity, kind: "create", before, after };
  if (after === undefined) return { entity, kind: "delete", before, after };
  if (
    before === after ||
    (before.specJson === after.specJson && before.createdVersion === after.createdVersion)
  )
    return undefined;
  return { entity, kind: "update", before, after };
}

/** Differences strictly behind `afterKey`, lazily: a page costs what it skips and shows. */
export function* differences(
  before: ModelState,
  after: ModelState,
  afterKey = "",
): IterableIterator<Difference> {
  const left = before.entities.after(afterKey);
  const right = after.entities.after(afterKey);
  let a = left.next();
  let b = right.next();
  while (a.done !== true || b.done !== true) {
    const order = a.done === true ? 1 : b.done === true ? -1 : compare(a.value[0], b.value[0]);
    const key = order <= 0 ? (a.value as [string, EntityState])[0] : (b.value as [string, EntityState])[0];
    const difference = differenceOf(
      key,
      order <= 0 ? (a.value as [string, EntityState])[1] : undefined,
      order >= 0 ? (b.value as [string, EntityState])[1] : undefined,
    );
    if (difference !== undefined) yield difference;
    if (order <= 0) a = left.next();
    if (order >= 0) b = right.next();
  }
}

/** The change set that makes `content`'s entities out of `from`'s: a forward version with an older one's content. */
export function changesTo(from: ModelState, content: ModelState): ChangeSet {
  return OrderedMap.empty<Change>().edit((changes) => {
    for (const { entity, after } of differences(from, content)) {
      if (after === undefined) changes.set(entity, { action: "delete" });
      else if (from.entities.get(entity)?.specJson !== after.specJson)
        changes.set(entity, { action: "put", specJson: after.specJson });
    }
  });
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
