/**
 * Bindings that runtimes miss, as they were passed on to conductors: in memory, for as long as a repair may take. A
 * thousand runtimes that miss the same binding are one command on the control log, and no caller can fill the log.
 */
import type { ModelId } from "@greco/domain/model";
import type { Clock } from "@greco/ports";
import { fault } from "@greco/service-kit";
import { modelName } from "./names.ts";

export type Missing = { readonly entity: string; readonly candidate: string };

export type RepairLimits = {
  /** The same binding is passed on no more often. */
  readonly repairEveryMs: number;
  /** Bindings of a model that are passed on within that time. */
  readonly repairsMax: number;
};

export class Repairs {
  readonly #clock: Clock;
  readonly #limits: RepairLimits;
  /** When each was passed on, the oldest first. */
  readonly #passed = new Map<ModelId, Map<string, number>>();

  constructor(clock: Clock, limits: RepairLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Those of `missing` that are to be passed on now. Throws RESOURCE_EXHAUSTED, and then takes none. */
  take(model: ModelId, missing: readonly Missing[]): readonly Missing[] {
    const nowMs = this.#clock.monotonicMs();
    const passed = this.#recent(model, nowMs);
    const fresh = new Map(
      missing.map((each) => [keyOf(each), each] as const).filter(([key]) => !passed.has(key)),
    );
    if (passed.size + fresh.size > this.#limits.repairsMax) {
      const [oldestMs = nowMs] = passed.values();
      const retryAfterMs = Math.max(1, oldestMs + this.#limits.repairEveryMs - nowMs);
      const message = `conductors are asked for ${passed.size} bindings of ${modelName(model)} already: ask again later`;
      throw fault.exhausted("TOO_MANY_REPAIRS", message, retryAfterMs);
    }
    for (const key of fresh.keys()) passed.set(key, nowMs);
    if (passed.size > 0) this.#passed.set(model, passed);
    return [...fresh.values()];
  }

  /** Could not be passed on after all. */
  untake(model: ModelId, missing: readonly Missing[]): void {
    for (const each of missing) this.#passed.get(model)?.delete(keyOf(each));
  }

  #recent(model: ModelId, nowMs: number): Map<string, number> {
    const passed = this.#passed.get(model) ?? new Map<string, number>();
    for (const [key, atMs] of passed) {
      if (nowMs - atMs < this.#limits.repairEveryMs) break;
      passed.delete(key);
    }
    if (passed.size === 0) this.#passed.delete(model);
    return passed;
  }
}

const keyOf = ({ entity, candidate }: Missing): string => `${entity}#${candidate}`;
