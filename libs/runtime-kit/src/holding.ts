/** Why a unit does not go on, for people (I12); nothing is decided by it. */
import type { Log } from "@greco/ports";

export class Holding {
  readonly #log: Log;
  readonly #fields: () => Readonly<Record<string, unknown>>;
  readonly #changed: () => void;
  #reason: string | undefined;

  /** `changed`: it should be seen from outside soon. */
  constructor(log: Log, fields: () => Readonly<Record<string, unknown>>, changed: () => void) {
    this.#log = log;
    this.#fields = fields;
    this.#changed = changed;
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  because(reason: string): void {
    if (this.#reason === reason) return;
    this.#log.warn("unit.holds", { ...this.#fields(), reason });
    this.#reason = reason;
    this.#changed();
  }

  /** It goes on. `kind`: only if it was for a reason that begins so. */
  over(kind = ""): void {
    if (this.#reason?.startsWith(kind) !== true) return;
    this.#log.info("unit.goes-on", this.#fields());
    this.#reason = undefined;
    this.#changed();
  }
}
