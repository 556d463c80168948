/** A line of those who wait: joined at its end, served at its front, left from anywhere, each for a constant cost. */

type Place<T> = { value: T | undefined };

/** Empty places, beside as many as are taken, before they are dropped: that costs the length of all. */
const EMPTY_MAX = 256;

export class Line<T extends object> {
  #places: Place<T>[] = [];
  #front = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Returns how to leave; whoever has been served, or has left, may call it and nothing happens. */
  join(value: T): () => void {
    const place: Place<T> = { value };
    this.#places.push(place);
    this.#size += 1;
    return () => this.#empty(place);
  }

  get first(): T | undefined {
    for (; this.#front < this.#places.length; this.#front += 1) {
      const value = this.#places[this.#front]?.value;
      if (value !== undefined) return value;
    }
    return undefined;
  }

  shift(): T | undefined {
    const { first } = this;
    const place = this.#places[this.#front];
    if (place !== undefined) this.#empty(place);
    return first;
  }

  /** Everybody, in order; the line is empty afterwards. */
  clear(): readonly T[] {
    const all = this.#places.flatMap(({ value }) => value ?? []);
    for (const place of this.#places) place.value = undefined;
    this.#places = [];
    this.#front = 0;
    this.#size = 0;
    return all;
  }

  #empty(place: Place<T>): void {
    if (place.value === undefined) return;
    place.value = undefined;
    this.#size -= 1;
    if (this.#places.length <= 2 * this.#size + EMPTY_MAX) return;
    this.#places = this.#places.filter(({ value }) => value !== undefined);
    this.#front = 0;
  }
}
