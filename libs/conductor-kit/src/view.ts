/**
 * The model as a conductor sees it: the kinds it owns and watches, at one version, in memory. A view never
 * changes; the next version's shares with it what is the same, so that a commit costs what it changes and
 * not what the model holds, and a review goes on seeing the base that it began with.
 */
import {
  entityIdentity,
  OrderedMap,
  parseEntityIdentity,
  type EntityIdentity,
  type EntityKey,
} from "@greco/domain/model";
import type { ModelView, ViewEntity } from "./conductor.ts";

export type ViewRow = {
  readonly key: EntityKey;
  readonly createdVersion: number;
  readonly specJson: string;
};
/** Undefined text: deleted. */
export type ViewChange = { readonly key: EntityKey; readonly specJson: string | undefined };

export const kindOf = (key: EntityKey): string => key.slice(0, key.indexOf("/"));

/** Parses its spec when somebody looks, and keeps it no longer than the collector wants. */
class LazyEntity implements ViewEntity {
  readonly key: EntityKey;
  readonly specJson: string;
  readonly identity: EntityIdentity;
  #spec: WeakRef<object> | undefined;
  constructor(key: EntityKey, createdVersion: number, specJson: string) {
    this.key = key;
    this.specJson = specJson;
    this.identity = entityIdentity(key, createdVersion);
  }
  get spec(): unknown {
    const kept = this.#spec?.deref();
    if (kept !== undefined) return kept;
    const spec = JSON.parse(this.specJson) as unknown;
    if (typeof spec === "object" && spec !== null) this.#spec = new WeakRef(spec);
    return spec;
  }
}

export class View implements ModelView {
  readonly version: number;
  readonly #rows: OrderedMap<ViewEntity>;

  private constructor(version: number, rows: OrderedMap<ViewEntity>) {
    this.version = version;
    this.#rows = rows;
  }

  static of(version: number, rows: Iterable<ViewRow>): View {
    const entities = OrderedMap.empty<ViewEntity>().edit((map) => {
      for (const row of rows) map.set(row.key, new LazyEntity(row.key, row.createdVersion, row.specJson));
    });
    return new View(version, entities);
  }

  get(key: EntityKey): ViewEntity | undefined {
    return this.#rows.get(key);
  }

  *ofKind(kind: string): IterableIterator<ViewEntity> {
    for (const [, entity] of this.#rows.withPrefix(`${kind}/`)) yield entity;
  }

  /** The next version, as these changes make it. What is put where something stands keeps its identity. */
  with(changes: Iterable<ViewChange>): View {
    const version = this.version + 1;
    const rows = this.#rows.edit((map) => {
      for (const { key, specJson } of changes) {
        if (specJson === undefined) map.delete(key);
        else {
          const old = this.#rows.get(key);
          const created = old === undefined ? version : parseEntityIdentity(old.identity).createdVersion;
          map.set(key, new LazyEntity(key, created, specJson));
        }
      }
    });
    return new View(version, rows);
  }
}
