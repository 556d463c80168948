/**
 * Hints by core NATS (libs/ports/src/wake.ts). Those who listen in this process hear without the server, so they do
 * also while there is none; those in others hear through it, if it is there at that moment. A hint that nobody could
 * be given is dropped, never kept: whoever waits for one also polls. Any number of hints to one topic in one turn are
 * one message, and one call of each listener; more of them within a few milliseconds are one more message at their end,
 * because a busy lane hints with every append, and each message costs as much as the append's own. After a reconnect all
 * listeners are called once, since hints may have been missed.
 */
import type { Wake } from "@greco/ports";
import type { NatsConnection, Subscription } from "@nats-io/transport-node";
import { NATS_LIMITS } from "./limits.ts";
import { Link, type NatsOptions } from "./link.ts";
import { namesOf, type Names } from "./subjects.ts";

const EMPTY = new Uint8Array();

type Topic = { readonly listeners: Set<() => void>; heard: Subscription | undefined };

/** Resolves when it is connected, or as soon as it is clear that this has to wait. */
export async function openNatsWake(options: NatsOptions, signal: AbortSignal): Promise<Wake> {
  const names = namesOf(options.streamPrefix ?? "greco");
  return new NatsWake(await Link.open(options, { noEcho: true }, signal), names);
}

class NatsWake implements Wake {
  readonly #link: Link;
  readonly #names: Names;
  readonly #topics = new Map<string, Topic>();
  /** To be told to listeners here; to be told to other processes. */
  readonly #here = new Set<string>();
  readonly #elsewhere = new Set<string>();
  readonly #off: () => void;
  /** Of the subscriptions that stand; another one has none of them. */
  #connection: NatsConnection | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** Told to other processes a moment ago; and, of these, to be told again when the moment is over. */
  #justTold = new Set<string>();
  #again = new Set<string>();
  #moment: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(link: Link, names: Names) {
    this.#link = link;
    this.#names = names;
    this.#off = link.onConnected(() => this.#connected());
    this.#connection = link.now;
  }

  notify(topic: string): void {
    if (this.#closed) return;
    this.#elsewhere.add(topic);
    this.#hint(topic);
  }

  listen(topic: string, listener: () => void): () => void {
    if (this.#closed) return () => undefined;
    // Its own function, so that one listener given twice is two listeners.
    const own = (): void => listener();
    const entry = this.#topics.get(topic) ?? { listeners: new Set(), heard: this.#subscribe(topic) };
    this.#topics.set(topic, entry);
    entry.listeners.add(own);
    return () => {
      entry.listeners.delete(own);
      if (entry.listeners.size > 0 || this.#topics.get(topic) !== entry) return;
      this.#topics.delete(topic);
      entry.heard?.unsubscribe();
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#off();
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    clearTimeout(this.#moment);
    this.#topics.clear();
    await this.#link[Symbol.asyncDispose]();
  }

  #subscribe(topic: string): Subscription | undefined {
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed() || connection.isDraining()) return undefined;
    // An error is told by the link's log; the subscription stays what it is, and polls go on.
    const callback = (error: Error | null): void => (error === null ? this.#hint(topic) : undefined);
    return connection.subscribe(this.#names.wakeOf(topic), { callback });
  }

  /** The client subscribes again by itself after a reconnect; a connection that was begun anew knows nothing. */
  #connected(): void {
    const connection = this.#link.now;
    const anew = connection !== this.#connection;
    this.#connection = connection;
    for (const [topic, entry] of this.#topics) {
      if (anew) entry.heard = this.#subscribe(topic);
      this.#hint(topic);
    }
  }

  #hint(topic: string): void {
    if (this.#topics.has(topic)) this.#here.add(topic);
    this.#turn ??= setImmediate(() => this.#tell());
  }

  #tell(): void {
    this.#turn = undefined;
    const [here, elsewhere] = [[...this.#here], [...this.#elsewhere]];
    this.#here.clear();
    this.#elsewhere.clear();
    for (const topic of elsewhere)
      if (this.#justTold.has(topic)) this.#again.add(topic);
      else this.#tellElsewhere(topic);
    for (const topic of here) {
      const listeners = this.#topics.get(topic)?.listeners ?? new Set();
      for (const listener of [...listeners]) if (listeners.has(listener)) listener();
    }
  }

  #tellElsewhere(topic: string): void {
    const connection = this.#link.now;
    if (connection === undefined || connection.isClosed() || connection.isDraining()) return;
    connection.publish(this.#names.wakeOf(topic), EMPTY);
    this.#justTold.add(topic);
    this.#moment ??= setTimeout(() => this.#momentOver(), NATS_LIMITS.wakeEveryMs);
  }

  #momentOver(): void {
    this.#moment = undefined;
    this.#justTold.clear();
    const again = [...this.#again];
    this.#again.clear();
    for (const topic of again) this.#tellElsewhere(topic);
  }
}
