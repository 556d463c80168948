/**
 * Conductors as this replica has read them, so that a vote costs no read. What is kept here may be a moment old:
 * who is refused by it is looked up again, and a vote too many is caught by promote, which compares the
 * registrations (I1).
 */
import type { CpStore } from "@greco/ports";
import { readConductor, type ConductorRecord, type Stored } from "../store/conductor-store.ts";

type Found = Stored<ConductorRecord> | undefined;

export class Roster {
  readonly #store: CpStore;
  readonly #models = new Map<string, Map<string, Found>>();

  constructor(store: CpStore) {
    this.#store = store;
  }

  async get(model: string, conductor: string, signal: AbortSignal): Promise<Found> {
    const known = this.#models.get(model);
    if (known?.has(conductor) === true) return known.get(conductor);
    return await this.fresh(model, conductor, signal);
  }

  async fresh(model: string, conductor: string, signal: AbortSignal): Promise<Found> {
    // Taken before the read: what is forgotten meanwhile is not brought back by it.
    const into = this.#models.get(model) ?? new Map<string, Found>();
    this.#models.set(model, into);
    const found = await readConductor(this.#store, model, conductor, signal);
    if (found === undefined) into.delete(conductor);
    else into.set(conductor, found);
    return found;
  }

  /** Of one model, or of all. */
  forget(model?: string): void {
    if (model === undefined) this.#models.clear();
    else this.#models.delete(model);
  }
}
