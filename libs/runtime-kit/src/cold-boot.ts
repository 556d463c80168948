/**
 * The one question that a runtime ever asks the control plane (I10): that bindings be made again which the ledger names
 * and the data plane has lost. Nothing comes back but the bindings themselves, in the data plane, where whoever misses
 * one goes on looking (I12).
 *
 * I9. Nobody waits for it: the control plane may be down, slow, or none at all.
 */
import type { BindingRef } from "@greco/domain/epoch";
import type { ModelId } from "@greco/domain/model";
import type { Clock, Log } from "@greco/ports";

export type ColdBootRequest = {
  readonly model: ModelId;
  /** At most `REQUEST_BINDINGS`. */
  readonly bindings: readonly Pick<BindingRef, "entity" | "candidate">[];
};
/** Resolves when the control plane has been told; the signal aborts when that takes too long. */
export type ColdBoot = (request: ColdBootRequest, signal: AbortSignal) => Promise<void>;

export type ColdBootLimits = {
  /** First pause before the same binding is asked for again; doubles with each. */
  readonly coldBootMs: number;
  readonly coldBootMaxMs: number;
  /** How long a request may take. */
  readonly coldBootDeadlineMs: number;
};

export type ColdBootOptions = {
  readonly model: ModelId;
  readonly ask: ColdBoot;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: ColdBootLimits;
  readonly signal: AbortSignal;
};

/** Bindings of one request, as the contract has it. */
const REQUEST_BINDINGS = 100;
/** Bindings that are missed at the same time and remembered; others have their turn when these are there. */
const MISSED_MAX = 1_000;

type Missed = { readonly binding: BindingRef; pauseMs: number; dueMs: number; seenMs: number };

export class ColdBooter {
  readonly #options: ColdBootOptions;
  readonly #missed = new Map<string, Missed>();
  #asking = false;

  constructor(options: ColdBootOptions) {
    this.#options = options;
  }

  /** Somebody has looked for it in vain; whoever holds for it says so again and again. */
  readonly missed = (binding: BindingRef): void => {
    const { clock, limits, signal } = this.#options;
    if (signal.aborted) return;
    const nowMs = clock.monotonicMs();
    const key = `${binding.entity}#${binding.candidate}`;
    const known = this.#missed.get(key);
    if (known !== undefined) known.seenMs = nowMs;
    else {
      this.#forget(nowMs);
      if (this.#missed.size >= MISSED_MAX) return;
      this.#missed.set(key, { binding, pauseMs: limits.coldBootMs, dueMs: nowMs, seenMs: nowMs });
    }
    if (!this.#asking) void this.#ask(nowMs);
  };

  /** What nobody has missed for a while is there again. */
  #forget(nowMs: number): void {
    const { coldBootMaxMs } = this.#options.limits;
    for (const [key, { seenMs }] of this.#missed)
      if (nowMs - seenMs > 2 * coldBootMaxMs) this.#missed.delete(key);
  }

  async #ask(nowMs: number): Promise<void> {
    const { model, ask, clock, log, limits, signal } = this.#options;
    const due = [...this.#missed.values()].filter(({ dueMs }) => dueMs <= nowMs).slice(0, REQUEST_BINDINGS);
    if (due.length === 0) return;
    this.#asking = true;
    for (const each of due) {
      each.dueMs = nowMs + each.pauseMs;
      each.pauseMs = Math.min(limits.coldBootMaxMs, 2 * each.pauseMs);
    }
    const bindings = due.map(({ binding: { entity, candidate } }) => ({ entity, candidate }));
    const over = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    clock.sleep(limits.coldBootDeadlineMs, ending).then(
      () => over.abort(new Error(`no answer within ${limits.coldBootDeadlineMs} ms`)),
      () => undefined,
    );
    const first = bindings[0]?.entity;
    try {
      await ask({ model, bindings }, ending);
      log.info("runtime.cold-boot", { model, bindings: bindings.length, first });
    } catch (error) {
      // I9: what is missing is held for, and asked for again.
      if (!signal.aborted)
        log.warn("runtime.cold-boot-failed", { model, bindings: bindings.length, first, error });
    } finally {
      over.abort(new Error("answered"));
      this.#asking = false;
    }
  }
}
