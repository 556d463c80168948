/** Of roles and of the account, as they were a moment ago: a review of many queries asks once. */
import { persist } from "./persist.ts";
import type { Workshop } from "./make-function.ts";
import type { AccountFacts, RoleFacts } from "./region.ts";

type Kept<T> = { readonly atMs: number; readonly facts: Promise<T> };

export class RegionFacts {
  readonly #workshop: Workshop;
  readonly #roles = new Map<string, Kept<RoleFacts | undefined>>();
  readonly #account = new Map<"account", Kept<AccountFacts | undefined>>();

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
  }

  role(arn: string, signal: AbortSignal): Promise<RoleFacts | undefined> {
    return this.#kept(this.#roles, arn, () => this.#workshop.region.getRole(arn, signal), signal);
  }

  account(signal: AbortSignal): Promise<AccountFacts | undefined> {
    return this.#kept(this.#account, "account", () => this.#workshop.region.getAccount(signal), signal);
  }

  #kept<K, T>(all: Map<K, Kept<T>>, key: K, read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, limits } = this.#workshop;
    const now = clock.monotonicMs();
    for (const [each, { atMs }] of all) if (now - atMs > limits.factsMs) all.delete(each);
    const known = all.get(key);
    if (known !== undefined) return known.facts;
    const facts = persist(this.#workshop, read, signal);
    all.set(key, { atMs: now, facts });
    // What could not be read is read again by the next who asks.
    facts.catch(() => all.delete(key));
    return facts;
  }
}
