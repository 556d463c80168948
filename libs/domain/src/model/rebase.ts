/**
 * A draft moves onto a newer head: a three-way merge, entity by entity and field by field. Conflicts are listed;
 * with any left, nothing changes.
 */
import type { Change, ChangeSet } from "./change-set.ts";
import type { EntityKey } from "./ids.ts";
import { canonicalJson, type JsonObject, type JsonValue } from "./json.ts";
import type { Kinds } from "./kind.ts";
import { mergeThree, type Side } from "./merge.ts";
import { OrderedMap } from "./ordered-map.ts";
import { kindOf, parseReferences, type EntityState, type ModelState } from "./state.ts";

export type Conflict = {
  readonly entity: EntityKey;
  /** Empty: the entity as a whole. */
  readonly fieldPath: string;
  /** Undefined: absent. */
  readonly base: JsonValue | undefined;
  readonly draft: JsonValue | undefined;
  readonly head: JsonValue | undefined;
};

export type Resolution = { readonly entity: string; readonly fieldPath: string; readonly side: Side };

export type Rebased = {
  readonly changes: ChangeSet;
  readonly conflicts: readonly Conflict[];
  /** Indexes of resolutions that settle nothing: the caller has something else before his eyes than there is. */
  readonly unused: readonly number[];
};

type Sides = {
  readonly key: string;
  readonly base: EntityState | undefined;
  readonly draft: Change;
  readonly head: EntityState | undefined;
};

export function rebase(
  base: ModelState,
  draft: ChangeSet,
  head: ModelState,
  kinds: Kinds,
  resolutions: readonly Resolution[],
): Rebased {
  const settled = new Map(
    resolutions.map(({ entity, fieldPath, side }, index) => [`${entity} ${fieldPath}`, { side, index }]),
  );
  const used = new Set<number>();
  const conflicts: Conflict[] = [];
  const changes = OrderedMap.empty<Change>().edit((merged) => {
    for (const [key, line] of draft.entries()) {
      const resolve = (path: string): Side | undefined => {
        const resolution = settled.get(`${key} ${path}`);
        if (resolution !== undefined) used.add(resolution.index);
        return resolution?.side;
      };
      const sides = { key, base: base.entities.get(key), draft: line, head: head.entities.get(key) };
      const change = rebaseLine(sides, kinds, resolve, conflicts);
      if (change !== undefined) merged.set(key, change);
    }
  });
  return { changes, conflicts, unused: resolutions.flatMap((_, index) => (used.has(index) ? [] : [index])) };
}

/** The line over the new head; undefined when the head says the same already. */
function rebaseLine(
  { key, base, draft, head }: Sides,
  kinds: Kinds,
  resolve: (path: string) => Side | undefined,
  conflicts: Conflict[],
): Change | undefined {
  if (sameRevision(base, head)) return draft;
  const wanted = draft.action === "put" ? draft.specJson : undefined;
  if (wanted === head?.specJson) return undefined;
  const whole = resolve("");
  if (whole !== undefined) return whole === "draft" ? draft : undefined;
  const values = { base: parsed(base?.specJson), draft: parsed(wanted), head: parsed(head?.specJson) };
  // Made on both sides, deleted on one, or deleted and made again: there is no common ground to merge on.
  if (
    values.base === undefined ||
    values.draft === undefined ||
    values.head === undefined ||
    base?.createdVersion !== head?.createdVersion
  ) {
    conflicts.push({ entity: key as EntityKey, fieldPath: "", ...values });
    return undefined;
  }
  const merged = mergeThree(values, kinds.get(kindOf(key))?.schema ?? {}, resolve);
  for (const { path, ...sides } of merged.conflicts)
    conflicts.push({ entity: key as EntityKey, fieldPath: path, ...sides });
  const specJson = canonicalJson(merged.value as JsonObject);
  return specJson === head?.specJson ? undefined : { action: "put", specJson };
}

function parsed(specJson: string | undefined): JsonObject | undefined {
  return specJson === undefined ? undefined : (JSON.parse(specJson) as JsonObject);
}

/** The same entity, unchanged: same identity, same newest change. */
export function sameRevision(a: EntityState | undefined, b: EntityState | undefined): boolean {
  return a?.createdVersion === b?.createdVersion && a?.changedVersion === b?.changedVersion;
}

/**
 * Whether what a second person approved is still what it was: the same change set, over the same revisions of all
 * that it touches or refers to (DESIGN §3).
 */
export function approvalSurvives(
  before: { readonly base: ModelState; readonly changes: ChangeSet },
  after: { readonly base: ModelState; readonly changes: ChangeSet },
  kinds: Kinds,
): boolean {
  if (before.changes.size !== after.changes.size) return false;
  const same = (key: string): boolean =>
    sameRevision(before.base.entities.get(key), after.base.entities.get(key));
  for (const [key, change] of before.changes.entries()) {
    const now = after.changes.get(key);
    if (now === undefined || now.action !== change.action || !same(key)) return false;
    if (change.action === "delete" || now.action === "delete") continue;
    if (now.specJson !== change.specJson) return false;
    if (!parseReferences(kinds, key, change.specJson).every(({ target }) => same(target))) return false;
  }
  return true;
}
