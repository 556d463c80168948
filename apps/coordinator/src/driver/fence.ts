/**
 * What the driver writes, it writes only while it leads: each of its writes compares the revision that created the key
 * of its lease. A driver that was stopped, and goes on after another has taken the lead, changes nothing, though it
 * has not been told yet (I2 does not rest on it: every decision is a compare-and-swap of its own).
 */
import { keys } from "@greco/control-kit";
import type { Compare, CpStore } from "@greco/ports";

type Held = { readonly created: number; readonly lost: (why: Error) => void };

/** No key has it: nobody who does not lead writes as the driver. */
const NEVER = -1;

export class Fence {
  #held: Held | undefined;

  /** While `work` goes on, this replica leads by the key that `created` made. `lost`: somebody else does. */
  async during<T>(created: number, lost: Held["lost"], work: () => Promise<T>): Promise<T> {
    this.#held = { created, lost };
    try {
      return await work();
    } finally {
      this.#held = undefined;
    }
  }

  /** The store as the driver has it. */
  around(store: CpStore): CpStore {
    return {
      range: (...call) => store.range(...call),
      watch: (...call) => store.watch(...call),
      grantLease: (...call) => store.grantLease(...call),
      keepLease: (...call) => store.keepLease(...call),
      revokeLease: (...call) => store.revokeLease(...call),
      compact: (...call) => store.compact(...call),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      transact: async (transaction, signal) => {
        const held = this.#held;
        const writes = transaction.then.some((each) => each.type !== "get");
        if (!writes) return store.transact(transaction, signal);
        const compare = [leads(held?.created ?? NEVER), ...transaction.compare];
        const result = await store.transact({ ...transaction, compare }, signal);
        if (!result.succeeded && held !== undefined) await this.#look(store, held, signal);
        return result;
      },
    };
  }

  /** Whether it was the fence that did not hold: then nothing that this replica tries will. */
  async #look(store: CpStore, held: Held, signal: AbortSignal): Promise<void> {
    const { entries } = await store.range({ key: keys.driver() }, { keysOnly: true }, signal);
    if (entries[0]?.createRevision !== held.created)
      held.lost(new Error("another replica leads, or the key of the lease is gone"));
  }
}

const leads = (created: number): Compare => ({
  key: keys.driver(),
  target: "createRevision",
  is: "=",
  value: created,
});
