/** Bindings that runtimes miss, until they are looked at: one repair at a time, and each binding once. */
import { candidateId, parseEntityIdentity, type EntityIdentity } from "@greco/domain/model";
import type { BindingKey } from "@greco/contracts/greco/conductor/v1/cold_boot";
import { Hint } from "@greco/lane-kit";
import { bindingObject } from "./journal.ts";
import { repair, type MissingBinding } from "./repair.ts";
import type { Session } from "./session.ts";

export class Repairs {
  readonly #wanted = new Map<string, MissingBinding>();
  readonly #hint = new Hint();

  /** Throws for what is no name; what does not fit is asked for again. */
  want(keys: readonly BindingKey[], max: number): void {
    for (const key of keys) {
      const entity = key.entity as EntityIdentity;
      parseEntityIdentity(entity);
      const each = { entity, candidate: candidateId(key.candidate) };
      if (this.#wanted.size < max) this.#wanted.set(bindingObject(entity, each.candidate), each);
    }
    this.#hint.give();
  }

  /** Until the signal aborts. Whoever waits for what failed asks again, so nothing is tried twice. */
  async run(session: Session, signal: AbortSignal): Promise<never> {
    const { clock, limits, log } = session.context;
    for (;;) {
      await this.#hint.next(clock, limits.repairMs, signal);
      const wanted = [...this.#wanted.values()];
      this.#wanted.clear();
      if (wanted.length === 0) continue;
      const time = new AbortController();
      const over = AbortSignal.any([time.signal, signal]);
      const alarm = clock.sleep(limits.repairMs, over).then(
        () => time.abort(new Error("the repair takes too long")),
        () => undefined,
      );
      try {
        await repair(session, wanted, over);
      } catch (error) {
        signal.throwIfAborted();
        log.warn("conductor.repair-failed", { bindings: wanted.length, error });
      } finally {
        time.abort(new Error("the repair is over"));
        await alarm;
      }
    }
  }
}
