/**
 * A model at one version: its entities, and who refers to whom, both as persistent maps, so that states of
 * versions, drafts and candidates share what they have in common.
 */
import type { Change } from "./change-set.ts";
import type { EntityKey } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import { sameReferences, type Flow, type Kinds, type Reference } from "./kind.ts";
import { OrderedMap } from "./ordered-map.ts";
import { referencesOf } from "./references.ts";

export type EntityState = {
  /** Canonical. */
  readonly specJson: string;
  /** The version that created it: with the key, the entity's identity. */
  readonly createdVersion: number;
  /** The version of its newest change: with the identity, its revision. */
  readonly changedVersion: number;
  readonly references: readonly Reference[];
};

export type ModelState = {
  readonly version: number;
  readonly entities: OrderedMap<EntityState>;
  /** `target source` → flows of the source's references to the target, as bits. */
  readonly referrers: OrderedMap<number>;
};

export const FLOW_BITS: Readonly<Record<Flow, number>> = { uses: 1, reads: 2, writes: 4 };

export function emptyState(): ModelState {
  return { version: 0, entities: OrderedMap.empty(), referrers: OrderedMap.empty() };
}

/** The kind of an entity, by its key. */
export function kindOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

/** Who refers to `target`, in key order. */
export function* referrersOf(
  state: ModelState,
  target: string,
): Generator<{ readonly source: EntityKey; readonly flows: number }, undefined> {
  // A blank sorts before every character of a name, so one target's edges stand together.
  const prefix = `${target} `;
  for (const [edge, flows] of state.referrers.withPrefix(prefix))
    yield { source: edge.slice(prefix.length) as EntityKey, flows };
}

export type StateChange = readonly [key: string, change: Change];

/**
 * The state `version` that the changes make of `state`; O(changes × log n). Putting an entity that exists keeps its
 * identity; deleting what does not exist changes nothing.
 */
export function applyChanges(
  state: ModelState,
  changes: Iterable<StateChange>,
  version: number,
  kinds: Kinds,
): ModelState {
  return edited(state, version, (put, remove) => {
    for (const [key, change] of changes) {
      const original = state.entities.get(key);
      if (change.action === "delete") remove(key);
      else put(key, entityOf(key, change.specJson, original, version, kinds));
    }
  });
}

/** An entity as a change makes it of the one that there was. */
export function entityOf(
  key: string,
  specJson: string,
  original: EntityState | undefined,
  version: number,
  kinds: Kinds,
): EntityState {
  const references = parseReferences(kinds, key, specJson);
  return {
    specJson,
    createdVersion: original?.createdVersion ?? version,
    changedVersion: version,
    // Most changes leave the references alone: neighbouring versions share them.
    references:
      original !== undefined && sameEdges(original.references, references) ? original.references : references,
  };
}

function sameEdges(a: readonly Reference[], b: readonly Reference[]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length &&
    a.every(({ target, flow, path }, index) => {
      const other = b[index];
      return other?.target === target && other.flow === flow && other.path === path;
    })
  );
}

/** Puts entities as they are (a snapshot, or a draft's line taken back); undefined removes. */
export function replaceEntities(
  state: ModelState,
  entities: Iterable<readonly [key: string, entity: EntityState | undefined]>,
  version: number,
): ModelState {
  return edited(state, version, (put, remove) => {
    for (const [key, entity] of entities) {
      if (entity === undefined) remove(key);
      else put(key, entity);
    }
  });
}

/** The same entities with the references that other kinds find in them; O(entities of the kinds that differ). */
export function withKinds(state: ModelState, before: Kinds, after: Kinds): ModelState {
  const differing = [...new Set([...before.keys(), ...after.keys()])].filter(
    (id) => !sameReferences(before.get(id), after.get(id)),
  );
  return edited(state, state.version, (put) => {
    for (const id of differing)
      for (const [key, entity] of state.entities.withPrefix(`${id}/`))
        put(key, { ...entity, references: parseReferences(after, key, entity.specJson) });
  });
}

export function parseReferences(kinds: Kinds, key: string, specJson: string): readonly Reference[] {
  const kind = kinds.get(kindOf(key));
  if (kind === undefined || kind.references.length === 0) return NO_REFERENCES;
  return referencesOf(kind, JSON.parse(specJson) as JsonObject);
}

const NO_REFERENCES: readonly Reference[] = [];

function edited(
  state: ModelState,
  version: number,
  change: (put: (key: string, entity: EntityState) => void, remove: (key: string) => void) => void,
): ModelState {
  let referrers = state.referrers;
  const entities = state.entities.edit((map) => {
    referrers = state.referrers.edit((edges) => {
      const put = (key: string, entity: EntityState): void => {
        const before = map.get(key)?.references ?? NO_REFERENCES;
        map.set(key, entity);
        if (sameEdges(before, entity.references)) return;
        for (const { target } of before) edges.delete(`${target} ${key}`);
        for (const { target, flow } of entity.references) {
          const edge = `${target} ${key}`;
          edges.set(edge, (edges.get(edge) ?? 0) | FLOW_BITS[flow]);
        }
      };
      const remove = (key: string): void => {
        for (const { target } of map.get(key)?.references ?? NO_REFERENCES) edges.delete(`${target} ${key}`);
        map.delete(key);
      };
      change(put, remove);
    });
  });
  return { version, entities, referrers };
}
