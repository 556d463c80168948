/**
 * The one question that a runtime ever asks the control plane (I10): the bindings of an epoch, where the data plane has
 * lost one. What comes is taken only if it has the hash that the ledger names; the binding reader checks it.
 */
import type { BindingRef } from "@greco/domain/epoch";
import type { Epoch, ModelId } from "@greco/domain/model";
import type { Clock, Log } from "@greco/ports";

/** The bindings' contents in force at an epoch, by their hashes. */
export type ColdBoot = (
  model: ModelId,
  epoch: Epoch,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, string>>;

export type ColdBootOptions = {
  readonly model: ModelId;
  readonly ask: ColdBoot;
  readonly clock: Clock;
  readonly log: Log;
  /** The same epoch is asked for no more often. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
};

export class ColdBooter {
  readonly #options: ColdBootOptions;
  readonly #asked = new Map<Epoch, number>();
  /** Of the newest answer; what was wanted of it is kept by the binding reader. */
  #contents: ReadonlyMap<string, string> = new Map();

  constructor(options: ColdBootOptions) {
    this.#options = options;
  }

  /** For `createBindingReader`. */
  readonly fallback = (binding: BindingRef): Promise<string | undefined> =>
    Promise.resolve(this.#contents.get(binding.hash));

  /** Asks for the configuration of the epoch at a position. True: there is something new to look at. */
  async ask(epoch: Epoch): Promise<boolean> {
    const { model, ask, clock, log, everyMs, signal } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#asked.get(epoch) ?? Number.NEGATIVE_INFINITY) < everyMs) return false;
    this.#asked.set(epoch, nowMs);
    try {
      this.#contents = await ask(model, epoch, signal);
      log.info("runtime.cold-boot", { model, epoch, bindings: this.#contents.size });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      // I9: the control plane may be down; what is missing is held for, and asked for again.
      log.warn("runtime.cold-boot-failed", { model, epoch, error });
      return false;
    }
  }
}
