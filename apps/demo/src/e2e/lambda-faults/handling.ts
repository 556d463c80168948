/** Where the messages of one model stand, which versions handled each, and what came out: what is wrong with it. */

/** `function:version`; undefined where no query is in force. */
export type VersionAt = (epoch: number) => string | undefined;

export type Judged = {
  /** What is still to come. */
  readonly waiting: readonly string[];
  /** What is wrong, and stays so. */
  readonly wrong: readonly string[];
};

type Stored = { readonly place: string; readonly epoch: number };

/** A place is `lane:seq`. */
export class Handling {
  readonly #stored: Stored[] = [];
  readonly #handled = new Map<string, Set<string>>();
  readonly #results = new Map<string, number>();

  stored(place: string, epoch: number): void {
    this.#stored.push({ place, epoch });
  }

  /** Perhaps more than once: a call is at least once. */
  handled(place: string, version: string): void {
    this.#handled.set(place, (this.#handled.get(place) ?? new Set()).add(version));
  }

  /** Results are read from their beginning again. */
  forgetResults(): void {
    this.#results.clear();
  }

  result(place: string): void {
    this.#results.set(place, (this.#results.get(place) ?? 0) + 1);
  }

  get count(): number {
    return this.#stored.length;
  }

  /** Of this epoch or a later one. */
  since(epoch: number): number {
    return this.#stored.filter((each) => each.epoch >= epoch).length;
  }

  /** Messages that this version has to handle, and has not yet. */
  waitingFor(version: string, versionAt: VersionAt): readonly string[] {
    return this.#stored
      .filter(({ place, epoch }) => versionAt(epoch) === version && !this.#handled.get(place)?.has(version))
      .map(({ place, epoch }) => `message ${place} of epoch ${epoch}`);
  }

  judge(versionAt: VersionAt): Judged {
    const waiting: string[] = [];
    const wrong: string[] = [];
    for (const { place, epoch } of this.#stored) {
      const version = versionAt(epoch);
      const by = [...(this.#handled.get(place) ?? [])];
      const results = this.#results.get(place) ?? 0;
      const what = `message ${place} of epoch ${epoch}`;
      for (const other of by.filter((each) => each !== version))
        wrong.push(`${what} was handled by ${other}, not by ${version ?? "nobody"}`);
      if (results > (version === undefined ? 0 : 1)) wrong.push(`${what} has ${results} results`);
      if (results > 0 && by.length === 0) wrong.push(`${what} has a result, and no call was seen for it`);
      if (version !== undefined && results === 0) waiting.push(`${what} has no result from ${version}`);
    }
    return { waiting, wrong };
  }
}
