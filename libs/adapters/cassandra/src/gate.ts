/** The door of a store: who is let in is answered before it closes, and who gives up is told at once. */
import { StoreUnavailableError } from "@greco/ports";

export class Gate {
  readonly #name: string;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Rejects with the signal's reason when it aborts; the work then goes on behind it to its own end, and what it has
   * begun may still take effect.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined)
      throw new StoreUnavailableError(`this ${this.#name} is closed: open another one`);
    signal.throwIfAborted();
    const working = work();
    this.track(working);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([working, aborted]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Something that closing waits for; its failure is its owner's. */
  track(working: Promise<unknown>): void {
    const settled = working.then(
      () => undefined,
      () => undefined,
    );
    this.#underWay.add(settled);
    void settled.then(() => this.#underWay.delete(settled));
  }

  /** Lets nobody in any more, waits for those inside, then runs `end`, once. */
  close(end: () => Promise<void>): Promise<void> {
    this.#closing ??= (async () => {
      while (this.#underWay.size > 0) await Promise.all(this.#underWay);
      await end();
    })();
    return this.#closing;
  }
}
