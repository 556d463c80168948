/**
 * What the units of one runtime share: memory for inputs, and places for calls. Bounded, so that a thousand lanes cost
 * what one runtime may cost; and shared so that one slow query takes its own places and no others.
 */
import type { EntityIdentity } from "@greco/domain/model";

/** Bytes of inputs under way. A unit that holds nothing may always take one input, so none is ever shut out. */
export class ByteBudget {
  readonly #max: number;
  readonly #listeners = new Set<() => void>();
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  hasRoom(): boolean {
    return this.#used < this.#max;
  }
  /** `bytes` below 0 gives back. */
  add(bytes: number): void {
    const wasFull = !this.hasRoom();
    this.#used += bytes;
    if (wasFull && this.hasRoom()) for (const listener of [...this.#listeners]) listener();
  }
  /** Called when there is room again, until the returned function is called. */
  onRoom(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

type Places = { taken: number; readonly waiting: Set<() => void> };

/** Calls under way of each query, over all its lanes in this runtime. */
export class CallPlaces {
  readonly #max: number;
  readonly #queries = new Map<EntityIdentity, Places>();

  constructor(max: number) {
    this.#max = max;
  }

  hasPlace(query: EntityIdentity): boolean {
    return (this.#queries.get(query)?.taken ?? 0) < this.#max;
  }
  take(query: EntityIdentity): void {
    this.#of(query).taken += 1;
  }
  leave(query: EntityIdentity): void {
    this.#of(query).taken -= 1;
    this.pass(query);
  }
  /** Wakes who has waited longest, if there is a place. Who was woken passes it on once it has taken what it needs. */
  pass(query: EntityIdentity): void {
    const places = this.#of(query);
    const [next] = places.waiting;
    if (next !== undefined && places.taken < this.#max) {
      places.waiting.delete(next);
      next();
    } else if (next === undefined && places.taken === 0) this.#queries.delete(query);
  }
  /** Calls `wake` once, in turn with the others who wait, when a place is left. */
  wait(query: EntityIdentity, wake: () => void): void {
    this.#of(query).waiting.add(wake);
  }
  /** Nobody waits there any more. */
  forget(query: EntityIdentity, wake: () => void): void {
    this.#queries.get(query)?.waiting.delete(wake);
  }

  #of(query: EntityIdentity): Places {
    let places = this.#queries.get(query);
    if (places === undefined) {
      places = { taken: 0, waiting: new Set() };
      this.#queries.set(query, places);
    }
    return places;
  }
}
