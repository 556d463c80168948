/**
 * What a unit says of itself in the store: how far it is done (checkpoints, which bound what is done again after a
 * takeover), why it holds, and its crossings where no derived lane shows them (R7).
 */
import type { LaneId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { Hint, persist } from "@greco/lane-kit";
import type { Checkpoint } from "@greco/ports";
import type { Position } from "./durable-position.ts";
import type { NamedRow } from "./unit-lanes.ts";
import type { UnitWorld } from "./unit-world.ts";

export type UnitProgressOptions = {
  readonly world: UnitWorld;
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  /** Read together, in one moment: all up to `done` stands below `outputs`. */
  readonly now: () => {
    readonly done: Position;
    readonly outputs: readonly NamedRow[];
    readonly holding: string | undefined;
  };
};

export class UnitProgress {
  readonly #options: UnitProgressOptions;
  readonly #due = new Hint();
  #written: Checkpoint | undefined;

  constructor(options: UnitProgressOptions) {
    this.#options = options;
  }

  /** Something has changed that should be seen soon. */
  hint(): void {
    this.#due.give();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { world, query, lane } = this.#options;
    for (;;) {
      await this.#due.next(world.clock, world.limits.checkpointMs, signal);
      try {
        await this.checkpoint(signal);
      } catch (error) {
        signal.throwIfAborted();
        world.log.warn("checkpoint.failed", { query, lane, error });
      }
    }
  }

  /** Writes how far the unit is, if it says something new. */
  async checkpoint(signal: AbortSignal): Promise<void> {
    const { world, query, lane } = this.#options;
    const { laneStore, model, writer, failpoint } = world;
    const { done, outputs, holding } = this.#options.now();
    const before = this.#written;
    if (before?.inputSeq === done.seq && before.holding === holding) return;
    // I8: a zombie's would not count anyway, because it names rows that were too late for the seal.
    if (!writer.holds()) return;
    const checkpoint: Checkpoint = {
      query,
      inputLane: lane,
      inputSeq: done.seq,
      inputEpoch: done.epoch,
      outputs,
      writer: writer.id,
      ...(holding === undefined ? {} : { holding }),
    };
    await failpoint?.("runtime.checkpoint.before");
    await laneStore.putCheckpoint(model, checkpoint, signal);
    this.#written = checkpoint;
    await failpoint?.("runtime.checkpoint.after");
  }

  /** R7: everything before the marker is durable, and a checkpoint says so. */
  async recordCrossing(epoch: Epoch, signal: AbortSignal): Promise<void> {
    const { world, query, lane } = this.#options;
    const { laneStore, clock, ids, model } = world;
    await this.checkpoint(signal);
    await persist(() => laneStore.recordCrossing(model, query, lane, epoch, signal), clock, signal, ids);
  }
}
