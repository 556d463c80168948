/** Whether a service can do its work: what it needs and cannot reach. Health follows it. */
export class Readiness {
  readonly #missing = new Set<string>();
  readonly #listeners = new Set<() => void>();

  get ready(): boolean {
    return this.#missing.size === 0;
  }

  /** What is needed and not there, by name. */
  get missing(): readonly string[] {
    return [...this.#missing];
  }

  set(dependency: string, reachable: boolean): void {
    const was = this.ready;
    if (reachable) this.#missing.delete(dependency);
    else this.#missing.add(dependency);
    if (this.ready !== was) for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` at each change, until the returned function is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
