/**
 * A model's changes for all who watch it: read from the store once and encoded once, however many watch. As the watch
 * cache of the Kubernetes API server, smaller.
 *
 * W1. Who asks for what is behind a state is told all of it, each part's changes in their order, and never of a part
 *     as it was before what he knows: until the feed is as far as he is, what he is told is put together for him.
 * W2. A slow reader holds nobody up, and only the newest changes are kept. Who is behind them, or whose feed has
 *     failed, catches up by watches of his own, and comes back.
 */
import type { WatchModelResponse } from "@greco/contracts/greco/registry/v1/registry";
import type { CpStore } from "@greco/ports";
import { toldToMany } from "@greco/service-kit";
import { orAbort } from "./abort.ts";
import {
  after,
  isAsFarAs,
  furthest,
  mark,
  modelAt,
  modelNews,
  type ModelNews,
  type ModelSeen,
  type ModelThen,
  type Positions,
  revisionOf,
  told,
  upTo,
} from "./model-changes.ts";

/** What a reader may be behind the newest change. */
const KEPT_MAX = 256;
/** Turns in which a reader was told nothing and had nothing to catch up with: one is usual, when he comes back. */
const FUTILE_MAX = 2;

/** What there is to say, and what whoever has heard it knows. */
type Told = { readonly then: ModelThen; readonly response: WatchModelResponse };
type Kept = Told & { readonly news: ModelNews };

export class ModelFeeds {
  readonly #store: CpStore;
  readonly #feeds = new Map<string, ModelFeed>();

  constructor(store: CpStore) {
    this.#store = store;
  }

  /**
   * The model as it is, or what it was at `revision`, which is not told; then everything behind it, until the signal
   * aborts. Throws what the store's `range` and `watch` throw.
   */
  async *from(
    model: string,
    revision: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<WatchModelResponse, void, undefined> {
    // Before the model is read: what changes behind that, the feed has.
    let feed = this.#join(model);
    try {
      await orAbort(feed.opened, signal);
      const start = await modelAt(this.#store, model, revision, signal);
      let { then } = start;
      if (revision === undefined) {
        feed.seen(start);
        yield told(then);
      }
      for (let futile = 0; ; futile += 1) {
        for await (const each of feed.behind(then, signal)) {
          futile = 0;
          ({ then } = each);
          yield each.response;
        }
        // W2
        if (feed.failure !== undefined && futile > FUTILE_MAX) throw feed.failure.error;
        if (feed.failure !== undefined || futile > FUTILE_MAX) {
          feed = this.#rejoin(model, feed);
          await orAbort(feed.opened, signal);
        }
        const present = await modelAt(this.#store, model, undefined, signal);
        if (!isAsFarAs(then.positions, present.changed))
          for await (const news of modelNews(this.#store, model, then.positions, signal)) {
            futile = 0;
            then = after(then, news);
            yield responseOf(then, news);
            if (isAsFarAs(then.positions, present.changed)) break;
          }
        then = upTo(then, present);
        feed.seen(present);
      }
    } finally {
      this.#leave(model, feed);
    }
  }

  #join(model: string): ModelFeed {
    let feed = this.#feeds.get(model);
    if (feed === undefined || feed.failure !== undefined) {
      feed = new ModelFeed(this.#store, model);
      this.#feeds.set(model, feed);
    }
    feed.readers += 1;
    return feed;
  }

  /** One that failed, or that this reader cannot follow, as when the store was set back behind it. */
  #rejoin(model: string, feed: ModelFeed): ModelFeed {
    this.#leave(model, feed);
    if (this.#feeds.get(model) === feed) this.#feeds.delete(model);
    return this.#join(model);
  }

  #leave(model: string, feed: ModelFeed): void {
    feed.readers -= 1;
    if (feed.readers > 0) return;
    if (this.#feeds.get(model) === feed) this.#feeds.delete(model);
    feed.close();
  }
}

class ModelFeed {
  readers = 0;
  /** Resolves when it knows the present, or has failed. */
  readonly opened: Promise<void>;
  readonly #ending = new AbortController();
  /** Changes; of marks only the newest is of interest. */
  readonly #kept: Kept[] = [];
  #mark: Told | undefined;
  /** The number of the oldest that is kept. */
  #first = 0;
  /** What was known before the oldest that is kept; undefined: nothing, not open yet. */
  #since: Positions | undefined;
  #seen: ModelSeen | undefined;
  #failure: { readonly error: unknown } | undefined;
  #more = Promise.withResolvers<void>();

  constructor(store: CpStore, model: string) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.opened = promise;
    const follow = async (): Promise<void> => {
      const { signal } = this.#ending;
      const start = await modelAt(store, model, undefined, signal);
      this.seen(start);
      let { then } = start;
      this.#since = then.positions;
      resolve();
      for await (const news of modelNews(store, model, then.positions, signal)) {
        then = upTo(after(then, news), this.#seen ?? start);
        const each = { then, response: toldToMany(responseOf(then, news)) };
        if (news.value === undefined) this.#mark = each;
        else this.#keep({ ...each, news });
        this.#more.resolve();
        this.#more = Promise.withResolvers();
      }
    };
    follow()
      .then(() => Promise.reject(new Error("the store's watch has ended")))
      .catch((error: unknown) => {
        this.#failure = { error };
        resolve();
        this.#more.resolve();
      });
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Somebody has looked: the feed's own watches would tell only much later that nothing has changed. */
  seen(present: ModelSeen): void {
    if (present.revision > (this.#seen?.revision ?? 0)) this.#seen = present;
  }

  close(): void {
    this.#ending.abort(new Error("nobody watches any more"));
  }

  /** Ends when the reader has fallen behind what is kept, or the feed has failed. */
  async *behind(then: ModelThen, signal: AbortSignal): AsyncGenerator<Told, void, undefined> {
    if (this.#since === undefined || !isAsFarAs(then.positions, this.#since)) return;
    let known = then;
    // The feed is as far as this reader: from then on what it says is true of him.
    let shared = false;
    for (let next = this.#first; ;) {
      for (; next < this.#first + this.#kept.length; next += 1) {
        if (next < this.#first) return;
        const each = this.#kept[next - this.#first] as Kept;
        // W1
        if (!shared && each.news.at <= known.positions[each.news.part]) continue;
        known = shared ? each.then : after(known, each.news);
        shared ||= isAsFarAs(each.then.positions, known.positions);
        yield shared ? each : { then: known, response: told(known) };
      }
      if (this.#failure !== undefined) return;
      const newest = this.#mark;
      if (newest !== undefined && revisionOf(newest.then) > revisionOf(known)) {
        known = shared ? newest.then : { ...known, positions: furthest(known, newest.then) };
        shared ||= isAsFarAs(newest.then.positions, known.positions);
        yield shared ? newest : { then: known, response: mark(known) };
      } else await orAbort(this.#more.promise, signal);
    }
  }

  #keep(each: Kept): void {
    this.#kept.push(each);
    if (this.#kept.length <= KEPT_MAX) return;
    const oldest = this.#kept.shift();
    this.#first += 1;
    if (oldest !== undefined) this.#since = oldest.then.positions;
  }
}

const responseOf = (then: ModelThen, { value }: ModelNews): WatchModelResponse =>
  value === undefined ? mark(then) : told(then);
