/**
 * Keeps a writer's lease (R2): renews it, reads ledger and floor with each renewal (R8), looks for close requests (R5),
 * notices when it is over. The decisions are domain/lane's; here are the store calls and the waiting.
 */
import type { LaneId, Lease, LeaseTiming, WriterId } from "@greco/domain/lane";
import { lapsesMs, leaseChecked, renewalDone, renewalReadBack, renewalSent } from "@greco/domain/lane";
import type { Epoch, ModelId } from "@greco/domain/model";
import type { Clock, Ids, LaneStore, Log } from "@greco/ports";
import type { LedgerFollower } from "./ledger-follower.ts";
import { RENEWALS_A_LEASE } from "./limits.ts";
import { Backoff, isPassing, persist } from "./waiting.ts";

export type LeaseKeeperOptions = {
  readonly laneStore: LaneStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly model: ModelId;
  readonly writer: WriterId;
  readonly ledger: LedgerFollower;
  readonly lease: Lease;
  readonly timing: LeaseTiming;
  /** The lease is over, for ever. */
  readonly lost: (why: string, cause?: unknown) => void;
  /** A renewal has come back: what waited for the lease may be acknowledged. */
  readonly prolonged: () => void;
  /** Before a renewal: the floor, with the ledger read up to date. */
  readonly current: (floor: Epoch) => void;
  readonly closeRequested: (lane: LaneId) => void;
};

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #closing = new AbortController();
  #lease: Lease;
  #renewing: Promise<unknown> = Promise.resolve();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#lease = options.lease;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** Until the lease is lost, `stop` aborts or `close` is called. */
  async run(stop: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([stop, this.#closing.signal]);
    await Promise.all([this.#watch(stop), this.#renewals(signal)]);
  }

  /**
   * After every lane has its end: gives the lease back. Throws when that cannot be done in time; a sealer will find
   * nothing to end.
   */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing.abort(new Error("the writer closes"));
    // What was asked of the store meanwhile is of unknown outcome: the count below may be one behind.
    await this.#renewing.catch(() => undefined);
    const { laneStore, clock, ids, model, writer } = this.#options;
    const close = async (): Promise<void> => {
      const lease = this.#lease;
      if (lease.phase === "lost") return;
      const stands = await laneStore.closeLease(model, writer, lease.count, signal);
      if (stands.state === "held") {
        this.#lease = { ...lease, count: stands.count };
        return close();
      }
      await laneStore.finishLease(model, writer, signal);
    };
    await persist(close, clock, signal, ids);
  }

  /** Lost at the very moment: not when somebody happens to look. */
  async #watch(stop: AbortSignal): Promise<void> {
    const { clock, timing, lost } = this.#options;
    while (!stop.aborted) {
      this.#lease = leaseChecked(this.#lease, clock.monotonicMs(), timing);
      if (this.#lease.phase === "lost") return lost(this.#lease.why);
      const leftMs = lapsesMs(this.#lease, timing) - clock.monotonicMs();
      await clock.sleep(Math.max(1, leftMs), stop).catch(() => undefined);
    }
  }

  async #renewals(signal: AbortSignal): Promise<void> {
    const { clock, ids, timing, log, writer, lost } = this.#options;
    let backoff = new Backoff(clock, ids);
    let failed = false;
    while (!signal.aborted && this.#lease.phase === "held") {
      try {
        if (failed) await backoff.wait(signal);
        else await clock.sleep(timing.leaseMs / RENEWALS_A_LEASE, signal);
        const renewing = this.#renew(signal);
        this.#renewing = renewing;
        failed = !(await renewing);
        if (!failed) backoff = new Backoff(clock, ids);
      } catch (error) {
        this.#renewing = Promise.resolve();
        if (signal.aborted) return;
        if (!isPassing(error)) return lost("its renewal failed", error);
        if (!failed) log.warn("lease.unrenewed", { writer, error });
        failed = true;
      }
    }
    if (this.#lease.phase === "lost") lost(this.#lease.why);
  }

  /** False: its outcome had to be read back, and it is to be tried again soon. */
  async #renew(signal: AbortSignal): Promise<boolean> {
    const { laneStore, clock, model, writer, ledger, timing, current, prolonged } = this.#options;
    // R8: the ledger first, so that the markers up to the floor are in; then the lanes that are still below it close.
    await ledger.refresh(signal);
    current(await laneStore.readFloor(model, signal));
    this.#lease = renewalSent(this.#lease, clock.monotonicMs());
    if (this.#lease.phase === "lost") return true;
    const renewed = await laneStore.renewLease(model, writer, this.#lease.count, signal).catch((error) => {
      if (signal.aborted || !isPassing(error)) throw error;
    });
    if (renewed === undefined) await this.#readBack(signal);
    else this.#lease = renewalDone(this.#lease, renewed, timing);
    prolonged();
    if (renewed !== undefined) await this.#closeRequests(signal);
    return renewed !== undefined;
  }

  async #readBack(signal: AbortSignal): Promise<void> {
    const { laneStore, clock, ids, model, writer } = this.#options;
    const read = await persist(() => laneStore.readLease(model, writer, signal), clock, signal, ids);
    this.#lease = renewalReadBack(this.#lease, read);
  }

  /** R5: somebody wants to read a lane to its end. */
  async #closeRequests(signal: AbortSignal): Promise<void> {
    const { laneStore, model, writer, closeRequested } = this.#options;
    for (const { info, state } of await laneStore.lanesOfWriter(model, writer, signal))
      if (state.closeRequested && state.end === undefined) closeRequested(info.id);
  }
}
