/**
 * A model for tests of a whole runtime, committed as a coordinator and its conductors would: bindings first, then the
 * ledger, with the scope of both graphs (DESIGN §4.1).
 */
import type { ChangedBinding, LedgerEntry } from "@greco/domain/epoch";
import type { EntityIdentity, EntityKey, Epoch } from "@greco/domain/model";
import { candidateId, entityIdentity, entityKey, epoch, hashOf, modelId } from "@greco/domain/model";
import type { BindingStore, LaneStore, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";

export const MODEL = modelId("m");

/** What a query of the scripted host does; `v` is what tests look for in its outputs. */
export type QuerySpec = {
  readonly from: string;
  readonly to?: string;
  readonly v: number;
  readonly tables?: readonly string[];
  readonly onError?: { readonly retries: number; readonly then: "dead-letter" | "skip" };
};
export type StreamSpec = { readonly retentionMs?: number };
export type TableSpec = { readonly v: number };

/** `null` removes. */
export type Changes = {
  readonly streams?: Readonly<Record<string, StreamSpec | null>>;
  readonly queries?: Readonly<Record<string, QuerySpec | null>>;
  readonly tables?: Readonly<Record<string, TableSpec | null>>;
};

type Entity = {
  readonly kind: string;
  readonly name: string;
  readonly spec: object;
  /** The epoch that made it: part of its identity. */
  readonly created: number;
};
type Graph = ReadonlyMap<EntityKey, Entity>;

export class SmallModel {
  /** The entities at each epoch: what the checker evaluates by. */
  readonly history: Graph[] = [new Map()];
  readonly #stores: {
    readonly laneStore: LaneStore;
    readonly bindingStore: BindingStore;
    readonly wake: Wake;
  };

  constructor(stores: { laneStore: LaneStore; bindingStore: BindingStore; wake: Wake }) {
    this.#stores = stores;
  }

  get epoch(): Epoch {
    return epoch(this.history.length - 1);
  }

  /** Of the entity that bears the name at an epoch, or bore it last. */
  identity(kind: string, name: string, at = this.epoch as number): EntityIdentity {
    const key = entityKey(kind, name);
    const bearer = this.history
      .slice(0, at + 1)
      .findLast((graph) => graph.has(key))
      ?.get(key);
    return entityIdentity(key, bearer?.created ?? 0);
  }

  queryAt(at: number, name: string): QuerySpec | undefined {
    return this.history[at]?.get(entityKey("query", name))?.spec as QuerySpec | undefined;
  }

  /** `withhold`: entities whose bindings are not stored, for I12; `bindingOf` gives them later. */
  async commit(
    changes: Changes,
    signal: AbortSignal,
    { withhold = [] }: { readonly withhold?: readonly string[] } = {},
  ): Promise<Epoch> {
    const before = this.history.at(-1) as Graph;
    const after = new Map(before);
    const at = this.history.length;
    const changed = new Map<EntityKey, EntityIdentity>();
    for (const [kind, specs] of [
      ["stream", changes.streams],
      ["table", changes.tables],
      ["query", changes.queries],
    ] as const)
      for (const [name, spec] of Object.entries(specs ?? {})) {
        const key = entityKey(kind, name);
        const created = before.get(key)?.created ?? at;
        if (spec === null) after.delete(key);
        else after.set(key, { kind, name, spec, created });
        changed.set(key, entityIdentity(key, created));
      }
    const scope = scopeOf([before, after], new Set(changed.keys()));
    const candidate = candidateId(`c${at}`);
    const bindings: ChangedBinding[] = [];
    for (const [key, entity] of changed) {
      const now = after.get(key);
      if (now === undefined) bindings.push({ entity, removed: true });
      else {
        const content = contentOf(now);
        const hash = hashOf(content);
        bindings.push({ entity, candidate, hash, removed: false });
        if (!withhold.includes(now.name))
          await this.#stores.bindingStore.putBindings(
            [{ model: MODEL, entity, candidate, hash, content }],
            signal,
          );
      }
    }
    const identities = [...scope].map((name) => {
      const key = entityKey("stream", name);
      return changed.get(key) ?? this.identity("stream", name);
    });
    const entry: LedgerEntry = {
      model: MODEL,
      epoch: epoch(at),
      candidate,
      scope: identities,
      bindings,
      committedAtMs: 0,
    };
    this.history.push(after);
    await this.#stores.laneStore.appendLedger(entry, signal);
    this.#stores.wake.notify(wakeTopics.ledger(MODEL));
    return entry.epoch;
  }

  /** The content of what an epoch bound, for whoever repairs it. */
  contentAt(at: number, kind: string, name: string): string {
    return contentOf(this.history[at]?.get(entityKey(kind, name)) as Entity);
  }

  async repair(at: number, kind: string, name: string, signal: AbortSignal): Promise<void> {
    const content = this.contentAt(at, kind, name);
    const entity = this.identity(kind, name);
    const binding = {
      model: MODEL,
      entity,
      candidate: candidateId(`c${at}`),
      hash: hashOf(content),
      content,
    };
    await this.#stores.bindingStore.putBindings([binding], signal);
  }
}

function contentOf({ kind, name, spec }: Entity): string {
  if (kind !== "query") return JSON.stringify({ name, ...spec });
  const { tables = [], onError = { retries: 0, then: "dead-letter" }, ...rest } = spec as QuerySpec;
  return JSON.stringify({ name, tables, onError, ...rest });
}

/** Names of changed streams, streams that affected queries read, and everything downstream of them, in both graphs. */
function scopeOf(graphs: readonly Graph[], changed: ReadonlySet<EntityKey>): ReadonlySet<string> {
  const queries = graphs.flatMap((graph) => [...graph.values()].filter((each) => each.kind === "query"));
  const refersToChanged = ({ name, spec }: Entity): boolean => {
    const { from, to, tables = [] } = spec as QuerySpec;
    const refers = [
      entityKey("query", name),
      entityKey("stream", from),
      ...(to === undefined ? [] : [entityKey("stream", to)]),
      ...tables.map((table) => entityKey("table", table)),
    ];
    return refers.some((key) => changed.has(key));
  };
  const scope = new Set<string>();
  for (const key of changed) if (key.startsWith("stream/")) scope.add(key.slice("stream/".length));
  for (const query of queries) if (refersToChanged(query)) scope.add((query.spec as QuerySpec).from);
  for (let size = -1; size !== scope.size;) {
    size = scope.size;
    for (const { spec } of queries) {
      const { from, to } = spec as QuerySpec;
      if (scope.has(from) && to !== undefined) scope.add(to);
    }
  }
  return scope;
}
