/** A draft's content in memory: its change set, and the model that it would make. */
import {
  applyChanges,
  entityOf,
  replaceEntities,
  type Change,
  type ChangeSet,
  type EntityState,
  type Kinds,
  type ModelState,
} from "@greco/domain/model";

export type DraftContent = {
  readonly incarnation: string;
  readonly generation: number;
  readonly base: ModelState;
  /** Lines that differ from the base; no line says what the base says already. */
  readonly changes: ChangeSet;
  /** The base with the changes: the version behind it. */
  readonly state: ModelState;
  readonly kinds: Kinds;
};

/** A line of an edit; `revert` takes the draft's line away. */
export type Edit = Change | { readonly action: "revert" };
export type EditLine = readonly [key: string, edit: Edit];

export function contentOf(
  base: ModelState,
  changes: ChangeSet,
  kinds: Kinds,
  at: { readonly incarnation: string; readonly generation: number },
): DraftContent {
  const state = applyChanges(base, changes.entries(), base.version + 1, kinds);
  return { ...at, base, changes, state, kinds };
}

/**
 * The content behind an edit; O(its lines × log n). A line that says what the base says takes the draft's away, and
 * so does a delete of what only the draft had.
 */
export function edited(content: DraftContent, edits: readonly EditLine[], generation: number): DraftContent {
  const { base, kinds } = content;
  const version = base.version + 1;
  const entities: [string, EntityState | undefined][] = [];
  const changes = content.changes.edit((lines) => {
    for (const [key, edit] of edits) {
      const original = base.entities.get(key);
      if (isEffective(edit, original)) lines.set(key, edit);
      else lines.delete(key);
      // An entity of the base keeps its identity, whatever the draft had said of it before.
      if (edit.action === "put" && edit.specJson !== original?.specJson)
        entities.push([key, entityOf(key, edit.specJson, original, version, kinds)]);
      else entities.push([key, edit.action === "delete" ? undefined : original]);
    }
  });
  return { ...content, generation, changes, state: replaceEntities(content.state, entities, version) };
}

function isEffective(edit: Edit, original: EntityState | undefined): edit is Change {
  if (edit.action === "put") return edit.specJson !== original?.specJson;
  return edit.action === "delete" && original !== undefined;
}
