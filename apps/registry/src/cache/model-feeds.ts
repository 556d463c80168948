/**
 * A model's changes for all who watch it: read from the store once and encoded once, however many watch. As the watch
 * cache of the Kubernetes API server, smaller.
 *
 * W1. Who asks for what is behind a revision is told all of it, each kind of change in its order.
 * W2. A slow reader holds nobody up, and no more than the newest changes are kept: who falls behind them goes on by a
 *     watch of his own, at his own pace.
 */
import type { CpStore } from "@greco/ports";
import { toldToMany } from "@greco/service-kit";
import { orAbort } from "./abort.ts";
import { modelAt, type ModelChange, modelChanges, type ModelThen } from "./model-changes.ts";

/** What a reader may be behind the newest change. */
const KEPT_MAX = 256;

export class ModelFeeds {
  readonly #store: CpStore;
  readonly #feeds = new Map<string, ModelFeed>();

  constructor(store: CpStore) {
    this.#store = store;
  }

  /** Everything behind `then`, until the signal aborts or the store's watch fails. */
  async *behind(model: string, then: ModelThen, signal: AbortSignal): AsyncGenerator<ModelChange> {
    let revision = then.revision;
    const feed = this.#feedOf(model, then);
    if (feed.since <= revision) {
      for await (const change of this.#read(model, feed, revision, signal)) {
        revision = Math.max(revision, change.revision);
        yield change;
      }
    }
    // W2. Behind what is kept: from where this reader is.
    const from = revision === then.revision ? then : await modelAt(this.#store, model, revision, signal);
    yield* modelChanges(this.#store, model, from, signal);
  }

  #feedOf(model: string, then: ModelThen): ModelFeed {
    let feed = this.#feeds.get(model);
    if (feed === undefined || feed.isOver) {
      feed = new ModelFeed((ending) => modelChanges(this.#store, model, then, ending), then.revision);
      this.#feeds.set(model, feed);
    }
    return feed;
  }

  async *#read(
    model: string,
    feed: ModelFeed,
    revision: number,
    signal: AbortSignal,
  ): AsyncGenerator<ModelChange> {
    feed.readers += 1;
    try {
      yield* feed.behind(revision, signal);
    } finally {
      feed.readers -= 1;
      if (feed.readers === 0) {
        if (this.#feeds.get(model) === feed) this.#feeds.delete(model);
        feed.close();
      }
    }
  }
}

class ModelFeed {
  readers = 0;
  readonly #kept: ModelChange[] = [];
  readonly #ending = new AbortController();
  /** The number of the oldest that is kept. */
  #first = 0;
  #since: number;
  #news = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;

  constructor(changes: (signal: AbortSignal) => AsyncIterable<ModelChange>, since: number) {
    this.#since = since;
    void this.#follow(changes(this.#ending.signal));
  }

  /** Everything behind this revision is kept or yet to come. */
  get since(): number {
    return this.#since;
  }

  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  close(): void {
    this.#ending.abort(new Error("nobody watches any more"));
  }

  /** Ends when the reader has fallen behind what is kept. */
  async *behind(revision: number, signal: AbortSignal): AsyncGenerator<ModelChange> {
    for (let next = this.#first; ;) {
      for (; next < this.#first + this.#kept.length; next += 1) {
        if (next < this.#first) return;
        const change = this.#kept[next - this.#first] as ModelChange;
        if (change.at > revision) yield change;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      await orAbort(this.#news.promise, signal);
    }
  }

  async #follow(changes: AsyncIterable<ModelChange>): Promise<void> {
    try {
      for await (const change of changes) {
        this.#keep({ ...change, response: toldToMany(change.response) });
        this.#tell();
      }
      throw new Error("the store's watch has ended");
    } catch (error) {
      this.#failure = { error };
      this.#tell();
    }
  }

  #keep(change: ModelChange): void {
    this.#kept.push(change);
    if (this.#kept.length <= KEPT_MAX) return;
    const oldest = this.#kept.shift() as ModelChange;
    this.#first += 1;
    this.#since = Math.max(this.#since, oldest.at);
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
