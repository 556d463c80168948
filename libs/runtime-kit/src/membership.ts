/**
 * Who else runs units of this model. A member beats; an observer counts from the last change that it saw, on its own
 * monotonic clock, as with leases (R2). Who is live only spreads the work: whose lanes may be taken is said by leases.
 */
import type { Membership } from "@greco/ports";

type Seen = { count: number; sinceMs: number; silent: boolean };

export class Members {
  readonly #me: string;
  readonly #lapseMs: number;
  readonly #seen = new Map<string, Seen>();

  /** `lapseMs`: a member that has not beaten for so long is not live. */
  constructor(me: string, lapseMs: number) {
    this.#me = me;
    this.#lapseMs = lapseMs;
  }

  /** What a listing showed; `nowMs` after the store's answer. */
  see(listed: readonly Membership[], nowMs: number): void {
    for (const { runtime, count } of listed) {
      const seen = this.#seen.get(runtime);
      if (seen === undefined) this.#seen.set(runtime, { count, sinceMs: nowMs, silent: false });
      else if (seen.count !== count) Object.assign(seen, { count, sinceMs: nowMs, silent: false });
      else if (nowMs - seen.sinceMs >= this.#lapseMs) seen.silent = true;
    }
    const names = new Set(listed.map(({ runtime }) => runtime));
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
  }

  /** This runtime, and every other that beats; sorted. */
  live(): readonly string[] {
    const others = [...this.#seen].filter(([name, { silent }]) => !silent && name !== this.#me);
    return [this.#me, ...others.map(([name]) => name)].toSorted();
  }

  /** Members that have been silent for so long that nobody will miss them. */
  forgotten(nowMs: number): readonly string[] {
    const long = this.#lapseMs * FORGOTTEN_LAPSES;
    return [...this.#seen]
      .filter(([, seen]) => seen.silent && nowMs - seen.sinceMs > long)
      .map(([name]) => name);
  }
}

const FORGOTTEN_LAPSES = 10;
