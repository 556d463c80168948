/**
 * Records under one prefix of the store, in memory, kept up to date by a watch. What this process writes it learns
 * at once, so a caller sees his own writes; other replicas see them when their watch does.
 */
import { OrderedMap } from "@greco/domain/model";
import { CompactedError, type Clock, type CpStore, type Log, type WatchEvent } from "@greco/ports";
import { fromBytes, type Stored } from "../store/json.ts";
import { orAbort } from "./abort.ts";

const LIST_PAGE = 500;
const RETRY_MS = 200;

type Dependencies = { readonly store: CpStore; readonly clock: Clock; readonly log: Log };

export class Feed<T> {
  readonly #dependencies: Dependencies;
  readonly #prefix: string;
  #records = OrderedMap.empty<Stored<T>>();
  /** Deletions that were learned before the watch told of them. */
  readonly #deleted = new Map<string, number>();
  readonly #listeners = new Set<(key: string) => void>();
  readonly #waiters = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  #revision = 0;

  private constructor(dependencies: Dependencies, prefix: string) {
    this.#dependencies = dependencies;
    this.#prefix = prefix;
  }

  /** Filled when it resolves; then follows until the signal aborts. */
  static async open<T>(dependencies: Dependencies, prefix: string, signal: AbortSignal): Promise<Feed<T>> {
    const feed = new Feed<T>(dependencies, prefix);
    await feed.#list(signal);
    void feed.#follow(signal);
    return feed;
  }

  get(key: string): Stored<T> | undefined {
    return this.#records.get(key);
  }

  /** Records whose keys start with `prefix`, strictly behind `after`, in order. */
  *entries(prefix: string, after = ""): Generator<[string, Stored<T>], undefined> {
    for (const entry of this.#records.entries(after > prefix ? after : prefix)) {
      if (!entry[0].startsWith(prefix)) return;
      if (entry[0] !== after) yield entry;
    }
  }

  /** What this process has written, or read from the store. Undefined: deleted. */
  learn(key: string, value: T | undefined, revision: number): void {
    const known = this.#records.get(key)?.revision ?? this.#deleted.get(key) ?? 0;
    if (revision <= known) return;
    if (value === undefined && revision > this.#revision) this.#deleted.set(key, revision);
    if (value !== undefined) this.#deleted.delete(key);
    this.#records = this.#records.edit((map) => {
      if (value === undefined) map.delete(key);
      else map.set(key, { value, revision });
    });
    for (const listener of this.#listeners) listener(key);
  }

  /** From the store itself (linearizable). */
  async refresh(key: string, signal: AbortSignal): Promise<Stored<T> | undefined> {
    const { entries, revision } = await this.#dependencies.store.range({ key }, { limit: 1 }, signal);
    const entry = entries[0];
    if (entry === undefined) this.learn(key, undefined, revision);
    else this.learn(key, fromBytes<T>(entry.value), entry.modRevision);
    return this.#records.get(key);
  }

  /** What is known, or, if nothing is, what the store says: another replica may have made it a moment ago. */
  async find(key: string, signal: AbortSignal): Promise<Stored<T> | undefined> {
    return this.#records.get(key) ?? (await this.refresh(key, signal));
  }

  /** Resolves when everything up to `revision` of the store is known here. */
  async reached(revision: number, signal: AbortSignal): Promise<void> {
    if (this.#revision >= revision) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { revision, resolve };
    this.#waiters.add(waiter);
    try {
      await orAbort(promise, signal);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** Called with each key that changes, until the returned function is called. */
  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the record of `key` is one that `test` takes. */
  async until(key: string, test: (value: T | undefined) => boolean, signal: AbortSignal): Promise<void> {
    if (test(this.#records.get(key)?.value)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.onChange((changed) => {
      if (changed === key && test(this.#records.get(key)?.value)) resolve();
    });
    try {
      await orAbort(promise, signal);
    } finally {
      stop();
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { store } = this.#dependencies;
    const seen = new Set<string>();
    let revision: number | undefined;
    for (let after: string | undefined, more = true; more;) {
      const range = after === undefined ? { prefix: this.#prefix } : { prefix: this.#prefix, after };
      const at = revision === undefined ? {} : { revision };
      const page = await store.range(range, { limit: LIST_PAGE, ...at }, signal);
      revision ??= page.revision;
      for (const { key, value, modRevision } of page.entries) {
        seen.add(key);
        this.learn(key, fromBytes<T>(value), modRevision);
        after = key;
      }
      more = page.more;
    }
    for (const [key, known] of this.#records.entries())
      if (!seen.has(key) && known.revision <= (revision ?? 0)) this.learn(key, undefined, revision ?? 0);
    this.#moveTo(revision ?? 0);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#dependencies;
    while (!signal.aborted) {
      try {
        for await (const batch of store.watch({ prefix: this.#prefix }, this.#revision, signal)) {
          for (const event of batch.events) this.#take(event);
          this.#moveTo(batch.revision);
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("registry.watch", { prefix: this.#prefix, error });
        await this.#recover(error, clock, signal).catch((again: unknown) => {
          if (!signal.aborted) log.warn("registry.watch", { prefix: this.#prefix, error: again });
        });
      }
    }
  }

  async #recover(error: unknown, clock: Clock, signal: AbortSignal): Promise<void> {
    await clock.sleep(RETRY_MS, signal);
    if (error instanceof CompactedError) await this.#list(signal);
  }

  #take(event: WatchEvent): void {
    if (event.type === "delete") this.learn(event.key, undefined, event.modRevision);
    else this.learn(event.entry.key, fromBytes<T>(event.entry.value), event.entry.modRevision);
  }

  #moveTo(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    for (const [key, at] of this.#deleted) if (at <= this.#revision) this.#deleted.delete(key);
    for (const waiter of this.#waiters) if (waiter.revision <= this.#revision) waiter.resolve();
  }
}
