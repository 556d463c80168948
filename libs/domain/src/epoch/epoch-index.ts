/**
 * The fold of the ledger's gapless prefix: which binding of which entity is in force at each epoch (DESIGN §1, §4.5).
 * Append-only: what it answers for an epoch it once held never changes, so the epoch of a position decides for ever
 * what is done with the message there (I6).
 */
import type { CandidateId, EntityIdentity, EntityKey, Epoch } from "../model/ids.ts";
import { DEAD_LETTERS_STREAM, epoch as toEpoch, EPOCHS_STREAM, parseEntityIdentity } from "../model/ids.ts";
import { invariant } from "../model/invariant.ts";
import type { LedgerEntry } from "./ledger.ts";

/** A binding as the ledger names it: enough to fetch it and to check what was fetched. */
export type BindingRef = {
  readonly entity: EntityIdentity;
  readonly candidate: CandidateId;
  readonly hash: string;
};

/** What was in force at an epoch, from which an index may start where the ledger below is compacted. */
export type FoldedBindings = { readonly epoch: Epoch; readonly bindings: readonly BindingRef[] };

type Change = { readonly epoch: Epoch; readonly binding: BindingRef | undefined };

/** In the scope of every epoch, without bindings. */
export const BUILT_IN_STREAMS: readonly EntityIdentity[] = [EPOCHS_STREAM, DEAD_LETTERS_STREAM];

export class EpochIndex {
  /** Nothing is known below it. */
  readonly base: Epoch;
  readonly #entries: LedgerEntry[] = [];
  readonly #scopes: ReadonlySet<EntityIdentity>[] = [];
  readonly #changes = new Map<EntityIdentity, Change[]>();
  readonly #identities = new Map<EntityKey, EntityIdentity[]>();

  constructor(folded?: FoldedBindings) {
    this.base = folded?.epoch ?? toEpoch(0);
    for (const binding of folded?.bindings ?? []) this.#change(this.base, binding.entity, binding);
  }

  /** The last epoch of the prefix; 0: none. */
  get newest(): Epoch {
    return this.#entries.at(-1)?.epoch ?? this.base;
  }

  /** Takes the next entry in. Only the gapless prefix exists: what is behind a gap must wait. */
  add(entry: LedgerEntry): void {
    invariant(
      entry.epoch === this.newest + 1,
      `the ledger's prefix is gapless: ${this.newest}, ${entry.epoch}`,
    );
    this.#entries.push(entry);
    this.#scopes.push(new Set([...entry.scope, ...BUILT_IN_STREAMS]));
    for (const changed of entry.bindings)
      this.#change(entry.epoch, changed.entity, changed.removed ? undefined : changed);
  }

  entry(epoch: Epoch): LedgerEntry | undefined {
    return this.#entries[epoch - this.base - 1];
  }

  /** Entries above `after`, ascending. */
  entries(after: Epoch): readonly LedgerEntry[] {
    return this.#entries.slice(Math.max(0, after - this.base));
  }

  /** Whether lanes of this stream get the marker of `epoch`. */
  inScope(epoch: Epoch, stream: EntityIdentity): boolean {
    return this.#scopes[epoch - this.base - 1]?.has(stream) ?? false;
  }

  /** The binding of an entity in force at `epoch`; undefined: none, or removed. */
  bindingAt(epoch: Epoch, entity: EntityIdentity): BindingRef | undefined {
    return changeAt(this.#changes.get(entity), epoch)?.binding;
  }

  /** Every binding in force at `epoch`. Costs the number of entities that ever were. */
  bindingsAt(epoch: Epoch): ReadonlyMap<EntityIdentity, BindingRef> {
    const bindings = new Map<EntityIdentity, BindingRef>();
    for (const [entity, changes] of this.#changes) {
      const binding = changeAt(changes, epoch)?.binding;
      if (binding !== undefined) bindings.set(entity, binding);
    }
    return bindings;
  }

  /** The entity that bears this name at `epoch`: deleted and made again, it is another one. */
  identityAt(epoch: Epoch, key: EntityKey): EntityIdentity | undefined {
    const builtIn = BUILT_IN_STREAMS.find((stream) => parseEntityIdentity(stream).key === key);
    if (builtIn !== undefined) return builtIn;
    return this.#identities.get(key)?.findLast((entity) => this.bindingAt(epoch, entity) !== undefined);
  }

  /** The epochs at which this entity's binding changed, ascending, its removal included. */
  changesOf(entity: EntityIdentity): readonly Epoch[] {
    return this.#changes.get(entity)?.map((change) => change.epoch) ?? [];
  }

  /** Every entity of a kind that ever had a binding. */
  entitiesOf(kind: string): readonly EntityIdentity[] {
    return [...this.#changes.keys()].filter((entity) => entity.startsWith(`${kind}/`));
  }

  /** Every entity that ever bore this name. */
  identitiesOf(key: EntityKey): readonly EntityIdentity[] {
    return this.#identities.get(key) ?? [];
  }

  #change(epoch: Epoch, entity: EntityIdentity, binding: BindingRef | undefined): void {
    const changes = this.#changes.get(entity);
    if (changes !== undefined) changes.push({ epoch, binding });
    else {
      this.#changes.set(entity, [{ epoch, binding }]);
      const { key } = parseEntityIdentity(entity);
      const identities = this.#identities.get(key);
      if (identities === undefined) this.#identities.set(key, [entity]);
      else identities.push(entity);
    }
  }
}

/** The last change at or below `epoch`, by binary search. */
function changeAt(changes: readonly Change[] | undefined, epoch: Epoch): Change | undefined {
  if (changes === undefined) return undefined;
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((changes[middle]?.epoch ?? 0) <= epoch) low = middle + 1;
    else high = middle;
  }
  return changes[low - 1];
}
