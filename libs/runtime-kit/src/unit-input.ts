/**
 * A unit's input: reads the lane as far as there is room, and what operators have ordered for its positions. What it
 * holds in memory is counted against the runtime's budget.
 */
import type { LaneInfo, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { persist, readLane } from "@greco/lane-kit";
import { BelowRetentionError } from "@greco/ports";
import type { Bell } from "./bell.ts";
import type { UnitMachine } from "./unit-machine.ts";
import type { UnitWorld } from "./unit-world.ts";

/** Bytes that a unit may take before it tells the budget. */
const BYTES_UNACCOUNTED = 256 * 1024;

export type UnitInputOptions = {
  readonly world: UnitWorld;
  readonly query: EntityIdentity;
  readonly input: LaneInfo;
  readonly machine: UnitMachine;
  /** Rings when something was done, so that there may be room. */
  readonly news: Bell;
  /** Something was taken in. */
  readonly taken: () => void;
};

export class UnitInput {
  readonly #options: UnitInputOptions;
  #bytes = 0;

  constructor(options: UnitInputOptions) {
    this.#options = options;
  }

  /** Until the lane has ended, or the machine takes no more. */
  async read(after: Seq, signal: AbortSignal): Promise<void> {
    const { world, query, input } = this.#options;
    let from = seq(after + 1);
    for (;;) {
      try {
        return await this.#readFrom(from, signal);
      } catch (error) {
        if (!(error instanceof BelowRetentionError)) throw error;
        // R3: said and counted; what is gone cannot be waited for.
        const { firstRetained } = error;
        world.counts.unretained += firstRetained - from;
        world.log.error("lane.unretained", { query, lane: input.id, from, firstRetained });
        from = firstRetained;
      }
    }
  }

  async #readFrom(from: Seq, signal: AbortSignal): Promise<void> {
    const { world, machine, input, taken } = this.#options;
    const { laneStore, wake, clock, model, leaseMs, limits, counts } = world;
    const options = { laneStore, wake, clock, model, lane: input.id, from, leaseMs, pollMs: limits.pollMs };
    for await (const batch of readLane(options, signal)) {
      if (batch.type === "end") {
        machine.inputEnded();
        return taken();
      }
      for (const entry of batch.entries) {
        if (!this.#hasRoom()) await this.#room(signal);
        if (machine.hasEnded) return;
        machine.window.take(entry);
      }
      counts.inputs += batch.entries.length;
      taken();
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    // Said once: what was taken so far is worked on, and each turn rings for what came of it.
    this.#options.taken();
    while (!this.#hasRoom()) await this.#options.news.next(signal);
  }

  #hasRoom(): boolean {
    const { machine, world } = this.#options;
    if (machine.hasEnded) return true;
    const { window } = machine;
    const { entries, bytes } = window.load;
    if (bytes - this.#bytes > BYTES_UNACCOUNTED) this.account(bytes);
    return window.hasRoom() && (entries === 0 || world.budget.hasRoom());
  }

  /** Tells the runtime's budget what this unit holds. */
  account(bytes = this.#options.machine.window.load.bytes): void {
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    if (change !== 0) this.#options.world.budget.add(change);
  }

  /** What operators have ordered so far, so that nothing that was given up is called again. */
  async takeOrders(signal: AbortSignal): Promise<void> {
    const { world, query, input, machine } = this.#options;
    const { laneStore, model, clock, ids } = world;
    const list = () => laneStore.listDeadLetterOrders(model, query, input.id, signal);
    for (const order of await persist(list, clock, signal, ids)) machine.giveUp(order);
  }

  /** Asks for orders again whenever the unit does not go on. */
  async watchOrders(signal: AbortSignal): Promise<void> {
    const { world, machine, taken } = this.#options;
    let before: Seq | undefined;
    for (;;) {
      await world.clock.sleep(world.limits.ordersMs, signal);
      const head = machine.window.head?.entry.seq;
      if (head !== undefined && head === before) {
        await this.takeOrders(signal);
        taken();
      }
      before = head;
    }
  }
}
