/**
 * What a unit has to do at each epoch, with its programs loaded; and the waiting where that cannot be had.
 *
 * I12. It never answers with something older, and it goes on by itself once the binding, the ledger's entry or the
 *      program can be had.
 */
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { InvariantError } from "@greco/domain/model";
import type { DutyAt } from "./duty.ts";
import { isDuty } from "./duty.ts";
import type { Holding } from "./holding.ts";
import { holdText, isHold } from "./query-catalog.ts";
import type { UnitWorld } from "./unit-world.ts";

export type UnitDutiesOptions = {
  readonly world: UnitWorld;
  readonly query: EntityIdentity;
  /** The input lane's stream. */
  readonly stream: EntityIdentity;
  readonly holding: Holding;
};

export class UnitDuties {
  readonly #options: UnitDutiesOptions;
  /** Needed by this unit, by ascending epoch. */
  readonly #programs: { readonly epoch: Epoch; readonly id: string }[] = [];

  constructor(options: UnitDutiesOptions) {
    this.#options = options;
  }

  /** Its program is loaded, and stays so until the unit has left the epoch behind. Waits for as long as it takes. */
  async at(epoch: Epoch, signal: AbortSignal): Promise<DutyAt> {
    const { holding, world } = this.#options;
    for (;;) {
      try {
        const duty = await this.#find(epoch, signal);
        holding.over();
        return duty;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof InvariantError) throw error;
        holding.because(isHold(error) ? holdText(error) : `PROGRAM_UNLOADABLE: ${String(error)}`);
        await world.clock.sleep(world.limits.holdRetryMs, signal);
      }
    }
  }

  async #find(epoch: Epoch, signal: AbortSignal): Promise<DutyAt> {
    const { world, query, stream, holding } = this.#options;
    const { ledger, catalog, pool } = world;
    if (ledger.newest < epoch && (await ledger.refresh(signal)) < epoch) {
      holding.because(
        `LEDGER_BEHIND: the ledger that is read here ends at ${ledger.newest}, before ${epoch}`,
      );
      await ledger.waitFor(epoch, signal);
    }
    const duty = await catalog.dutyAt(query, stream, epoch);
    if (isDuty(duty)) {
      await pool.acquire(duty.program);
      this.#programs.push({ epoch, id: duty.program.id });
    }
    signal.throwIfAborted();
    return duty;
  }

  /** Loads what an epoch will need, before its marker comes, so that the switch costs no compile time. */
  preload(epoch: Epoch): void {
    const { world, query, stream } = this.#options;
    world.catalog.dutyAt(query, stream, epoch).then(
      (duty) => isDuty(duty) && world.pool.preload(duty.program),
      // I12: what is missing makes the marker hold, and not before.
      () => undefined,
    );
  }

  /** The unit stands at this epoch: programs of those before are not needed by it any more. */
  release(reached: Epoch): void {
    for (
      let next = this.#programs[1];
      next !== undefined && next.epoch <= reached;
      next = this.#programs[1]
    ) {
      const [old] = this.#programs.splice(0, 1);
      if (old !== undefined) this.#options.world.pool.release(old.id);
    }
  }

  releaseAll(): void {
    for (const { id } of this.#programs.splice(0)) this.#options.world.pool.release(id);
  }
}
