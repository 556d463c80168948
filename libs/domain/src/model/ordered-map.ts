/**
 * A persistent map in key order: an edit gives another map and leaves this one as it is, and the two share all
 * nodes but those on the way to what changed. So a version costs what it changes, a draft over 100,000 entities
 * costs what it edits, and paging starts anywhere in O(log n).
 *
 * It stands on the copy-on-write B+ tree of `sorted-btree`; keys are ASCII, ordered by code unit.
 */
import { EmptyBTree } from "sorted-btree";

type Tree<V> = {
  readonly size: number;
  get(key: string): V | undefined;
  has(key: string): boolean;
  set(key: string, value: V): boolean;
  delete(key: string): boolean;
  clone(): Tree<V>;
  entries(lowestKey?: string): IterableIterator<[string, V]>;
};

export type MapEdit<V> = {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
};

export class OrderedMap<V> {
  readonly #tree: Tree<V>;

  private constructor(tree: Tree<V>) {
    this.#tree = tree;
  }

  static empty<V>(): OrderedMap<V> {
    return new OrderedMap((EmptyBTree as Tree<V>).clone());
  }

  static of<V>(entries: Iterable<readonly [string, V]>): OrderedMap<V> {
    return OrderedMap.empty<V>().edit((map) => {
      for (const [key, value] of entries) map.set(key, value);
    });
  }

  get size(): number {
    return this.#tree.size;
  }

  get(key: string): V | undefined {
    return this.#tree.get(key);
  }

  has(key: string): boolean {
    return this.#tree.has(key);
  }

  /** Entries from `key` on (from the first by default), in order. The map never changes under an iteration. */
  entries(from?: string): IterableIterator<[string, V]> {
    return this.#tree.entries(from);
  }

  /** Entries strictly behind `key`. */
  *after(key: string): IterableIterator<[string, V]> {
    for (const entry of this.#tree.entries(key)) if (entry[0] !== key) yield entry;
  }

  /** Entries whose keys start with `prefix`. */
  *withPrefix(prefix: string): IterableIterator<[string, V]> {
    for (const entry of this.#tree.entries(prefix)) {
      if (!entry[0].startsWith(prefix)) return;
      yield entry;
    }
  }

  /** The map after `change`; O(edits × log n). The edit is of no use once `change` has returned. */
  edit(change: (map: MapEdit<V>) => void): OrderedMap<V> {
    const tree = this.#tree.clone();
    change({
      get: (key) => tree.get(key),
      set: (key, value) => void tree.set(key, value),
      delete: (key) => void tree.delete(key),
    });
    return new OrderedMap(tree);
  }
}
