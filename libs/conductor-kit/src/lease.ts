/**
 * The lease of an incarnation: renewed at a third of its time, counted from the sending of a renewal on the
 * monotonic clock. A conductor that lost it stops by itself, so that its requests end soon after another
 * incarnation has taken over (K3's quiet time stands on that).
 */
import type { ConductorId, ModelId } from "@greco/domain/model";
import type { BindingStore, Clock, ConductorLease, Log } from "@greco/ports";

/** Another incarnation acts for this conductor now: stop, and stand by. */
export class TakenOverError extends Error {
  override name = "TakenOverError";
}
/** The store could not be reached for a whole lease: stop, then begin anew. */
export class LeaseLapsedError extends Error {
  override name = "LeaseLapsedError";
}

export type LeaseOptions = {
  readonly bindingStore: BindingStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: ModelId;
  readonly conductor: ConductorId;
  readonly leaseMs: number;
};

/** Never resolves; rejects with why the lease is lost, or with the signal's reason. */
export async function keepLease(
  options: LeaseOptions,
  taken: ConductorLease,
  signal: AbortSignal,
): Promise<never> {
  const { bindingStore, clock, log, model, conductor, leaseMs } = options;
  let lease = taken;
  let heldFromMs = clock.monotonicMs();
  for (;;) {
    await clock.sleep(leaseMs / 3, signal);
    const sentAtMs = clock.monotonicMs();
    const renewed = await renewal().catch((error: unknown) => {
      signal.throwIfAborted();
      log.warn("conductor.renewal-failed", { error });
      return "unknown" as const;
    });
    if (renewed === undefined) await lost();
    else if (renewed !== "unknown") {
      lease = renewed;
      heldFromMs = sentAtMs;
    }
    if (clock.monotonicMs() - heldFromMs >= leaseMs)
      throw new LeaseLapsedError(`the lease of conductors/${conductor} for models/${model} has lapsed`);
  }

  function renewal(): Promise<ConductorLease | undefined> {
    return bindingStore.renewConductor(model, conductor, lease, signal);
  }

  /** A renewal whose answer was lost also makes the next one be refused: only the incarnation tells. */
  async function lost(): Promise<void> {
    const standing = await bindingStore.readConductor(model, conductor, signal);
    if (standing?.incarnation === lease.incarnation) {
      lease = standing;
      return;
    }
    throw new TakenOverError(
      `incarnation ${standing?.incarnation ?? "?"} of conductors/${conductor} has taken models/${model} over from ` +
        `${lease.incarnation}: one process at a time acts for a conductor`,
    );
  }
}

/**
 * Resolves when whoever holds the lease has not renewed it for twice its time, counted from the last change that was
 * seen (as R2 says for writers). A store that cannot be read tells nothing: the count begins anew.
 */
export async function lapsed(options: LeaseOptions, signal: AbortSignal): Promise<ConductorLease> {
  const { bindingStore, clock, model, conductor, leaseMs } = options;
  let seen: ConductorLease | undefined;
  let sinceMs = clock.monotonicMs();
  for (;;) {
    const standing = await bindingStore.readConductor(model, conductor, signal).catch(() => undefined);
    signal.throwIfAborted();
    const same = standing?.incarnation === seen?.incarnation && standing?.count === seen?.count;
    if (standing === undefined || !same) sinceMs = clock.monotonicMs();
    else if (clock.monotonicMs() - sinceMs >= 2 * leaseMs) return standing;
    seen = standing;
    await clock.sleep(leaseMs / 3, signal);
  }
}
