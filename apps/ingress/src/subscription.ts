/**
 * One subscription: every lane of a stream, each in its order, those that appear later and the successors of those that
 * end, markers and ends as such.
 *
 * S1. A lane that continues another is delivered after it and all that were opened with it (R5, §5 Order).
 * S2. What is delivered counts for ever (R2: `readLane`).
 * S3. A slow subscriber slows itself alone: its lanes are read only as fast as it takes their entries.
 * S4. What is below retention is an error that says so, never a gap (R3).
 * S5. From an epoch on, no older one is delivered, from whichever lane.
 */
import type { Entry, LaneId, LaneInfo, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { Epoch } from "@greco/domain/model";
import { firstAtEpoch, readLane } from "@greco/lane-kit";
import type { LaneRecord } from "@greco/ports";
import { BelowRetentionError } from "@greco/ports";
import { fault } from "@greco/service-kit";
import { Merge } from "./merge.ts";
import { isBuiltIn, inForce, type StreamTarget } from "./stream-names.ts";

export type SubscriptionStart =
  | { readonly type: "beginning" }
  | { readonly type: "end" }
  | { readonly type: "epoch"; readonly epoch: Epoch }
  /** Behind these; lanes that are not named from their first retained entry. */
  | { readonly type: "positions"; readonly positions: ReadonlyMap<string, Seq> };

export type SubscriptionOrder = {
  readonly start: SubscriptionStart;
  /** Only what is there now. */
  readonly bounded: boolean;
  /** Entries under way at once. */
  readonly window: number;
};

export type Delivery =
  | { readonly lane: LaneId; readonly entries: readonly Entry[] }
  | { readonly lane: LaneId; readonly end: Seq; readonly epoch: Epoch };

/** Where one lane begins and, in a bounded subscription, stops. */
type Plan = { readonly record: LaneRecord; readonly from: Seq; readonly until?: Seq; readonly epoch?: Epoch };

export class Subscription {
  readonly #target: StreamTarget;
  readonly #order: SubscriptionOrder;
  readonly #stop = new AbortController();
  readonly #merge: Merge<Delivery>;
  /** Lanes that were begun or left out. */
  readonly #known = new Map<LaneId, LaneInfo>();
  readonly #delivered = new Set<LaneId>();
  readonly #waiting = new Map<LaneId, Plan>();
  readonly #reading = new Set<Promise<void>>();
  #looking: Promise<void> = Promise.resolve();

  constructor(target: StreamTarget, order: SubscriptionOrder) {
    this.#target = target;
    this.#order = order;
    this.#merge = new Merge(target.host.context.clock, order.window);
  }

  /** Until the end of a bounded one, or of a removed stream; leaving the iteration ends everything. */
  async *deliveries(signal: AbortSignal): AsyncGenerator<readonly Delivery[]> {
    const { host } = this.#target;
    const stop = (): void => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    host.signal.addEventListener("abort", stop, { once: true });
    const forget = host.lanes.onChange(() => this.#look());
    try {
      signal.throwIfAborted();
      await this.#begin();
      for (;;) {
        const deliveries = await this.#merge.take(this.#stop.signal);
        if (deliveries === undefined) return;
        yield deliveries;
      }
    } finally {
      forget();
      signal.removeEventListener("abort", stop);
      host.signal.removeEventListener("abort", stop);
      this.#stop.abort(new Error("the subscription is over"));
      this.#merge.stop();
      await this.#looking;
      await Promise.all(this.#reading);
    }
  }

  async #begin(): Promise<void> {
    const records = await this.#list();
    const { start, bounded } = this.#order;
    if (start.type === "positions") await this.#checkPositions(start.positions, records);
    for (const record of records) {
      this.#known.set(record.info.id, record.info);
      const plan = await this.#plan(record, start);
      if (plan === undefined) this.#delivered.add(record.info.id);
      else this.#waiting.set(record.info.id, plan);
    }
    this.#advance();
    if (bounded && this.#reading.size === 0) this.#merge.end();
    if (!bounded) this.#look();
  }

  /** Finished ones too: between two looks a lane may appear, end and be finished. */
  #list(): Promise<readonly LaneRecord[]> {
    const { host, stream } = this.#target;
    const filter = { stream, includeFinished: true };
    return host.context.laneStore.listLanes(host.model, filter, this.#stop.signal);
  }

  /** After the lanes have changed: begins what is new, from its first entry. */
  #look(): void {
    const { start, bounded } = this.#order;
    if (bounded) return;
    // S5
    const since = start.type === "epoch" ? { epoch: start.epoch } : {};
    this.#looking = this.#looking.then(async () => {
      if (this.#stop.signal.aborted) return;
      try {
        for (const record of await this.#list()) {
          if (this.#known.has(record.info.id)) continue;
          this.#known.set(record.info.id, record.info);
          this.#waiting.set(record.info.id, { record, from: record.state.firstRetained, ...since });
        }
        this.#advance();
        this.#endIfGone();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  /** S1: whoever has no predecessor left to deliver begins. */
  #advance(): void {
    for (const [lane, plan] of this.#waiting) {
      if (this.#before(plan.record.info).some((before) => !this.#delivered.has(before))) continue;
      this.#waiting.delete(lane);
      const reading = this.#read(plan);
      this.#reading.add(reading);
      void reading.finally(() => {
        this.#reading.delete(reading);
        if (this.#order.bounded && this.#reading.size === 0 && this.#waiting.size === 0) this.#merge.end();
      });
    }
  }

  /**
   * The lane that it names as its predecessor, and those that were opened together with that one. Of its own group (a
   * query's lane that was taken over) it goes on behind the named one alone: the others go on beside it.
   */
  #before({ predecessor, group: own }: LaneInfo): readonly LaneId[] {
    const named = predecessor && this.#known.get(predecessor);
    if (named === undefined) return [];
    const { group } = named;
    if (group === undefined || group.id === own?.id) return [named.id];
    const together = [...this.#known.values()].filter((each) => each.group?.id === group.id);
    return together.map(({ id }) => id);
  }

  async #read(plan: Plan): Promise<void> {
    const { info } = plan.record;
    const { context, model } = this.#target.host;
    const { signal } = this.#stop;
    const limit = Math.max(1, Math.min(context.limits.responseEntries, this.#order.window));
    const { leaseMs, lanePollMs: pollMs } = context.limits;
    try {
      let epoch = 0 as Epoch;
      if (plan.until !== undefined && plan.until < plan.from) return this.#done(info.id);
      const options = { ...context, model, lane: info.id, from: plan.from, leaseMs, pollMs, limit };
      for await (const batch of readLane(options, signal)) {
        if (batch.type === "end") {
          await this.#merge.put({ lane: info.id, end: batch.end, epoch }, 1, signal);
          break;
        }
        const entries = batch.entries.filter((entry) => wanted(entry, plan));
        if (entries.length > 0) await this.#merge.put({ lane: info.id, entries }, entries.length, signal);
        const last = batch.entries.at(-1);
        epoch = last?.epoch ?? epoch;
        if (plan.until !== undefined && last !== undefined && last.seq >= plan.until) break;
      }
      this.#done(info.id);
    } catch (error) {
      this.#fail(error);
    }
  }

  #done(lane: LaneId): void {
    this.#delivered.add(lane);
    this.#advance();
    this.#endIfGone();
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    if (!(error instanceof BelowRetentionError)) return this.#merge.fail(error);
    this.#merge.fail(belowRetention(this.#target, error.message, error.firstRetained));
  }

  /** The stream is removed and all of its lanes are delivered to their ends: nothing can come any more. */
  #endIfGone(): void {
    const { host, resource, name, stream } = this.#target;
    if (this.#order.bounded || isBuiltIn(stream)) return;
    if (inForce(host, resource, name)?.stream === stream) return;
    const open = host.lanes.lanes(stream).some(({ info }) => !this.#delivered.has(info.id));
    if (
      !open &&
      this.#waiting.size === 0 &&
      [...this.#known.keys()].every((lane) => this.#delivered.has(lane))
    )
      this.#merge.end();
  }

  // ---- where to begin

  async #plan(record: LaneRecord, start: SubscriptionStart): Promise<Plan | undefined> {
    const { host } = this.#target;
    const { info, state } = record;
    const { signal } = this.#stop;
    const last = state.end ?? (await host.context.laneStore.tail(host.model, info.id, signal));
    const bound = this.#order.bounded ? { until: last } : {};
    switch (start.type) {
      case "beginning":
        return { record, from: state.firstRetained, ...bound };
      case "end":
        return state.end === undefined ? { record, from: seq(last + 1), ...bound } : undefined;
      case "positions": {
        const behind = start.positions.get(info.id);
        return { record, from: behind === undefined ? state.firstRetained : seq(behind + 1), ...bound };
      }
      case "epoch": {
        const { epoch } = start;
        const place = { laneStore: host.context.laneStore, model: host.model, lane: info.id };
        const first = await firstAtEpoch(place, state.firstRetained, last, epoch, signal);
        if (first === undefined) return { record, from: seq(last + 1), epoch, ...bound };
        this.#checkRetained(record, first, epoch);
        return { record, from: first.seq, epoch, ...bound };
      }
    }
  }

  /** S4: where the oldest entry that is left is already of the epoch, its marker is only there if it is that entry. */
  #checkRetained({ info, state }: LaneRecord, first: Entry, epoch: Epoch): void {
    if (first.kind === "marker" || first.seq > state.firstRetained || first.seq === 1) return;
    const message = `lane ${info.id} is retained from seq ${state.firstRetained}, and epoch ${epoch} began before it`;
    throw belowRetention(this.#target, message, state.firstRetained);
  }

  async #checkPositions(positions: ReadonlyMap<string, Seq>, records: readonly LaneRecord[]): Promise<void> {
    const { host, resource } = this.#target;
    const byId = new Map<string, LaneRecord>(records.map((record) => [record.info.id, record]));
    let index = 0;
    for (const [lane, behind] of positions) {
      const field = `positions.positions[${index}]`;
      index += 1;
      const record = byId.get(lane);
      if (record === undefined)
        throw fault.notFound("UNKNOWN_LANE", lane, `${field}: ${resource} has no lane ${lane}`);
      const { end, firstRetained } = record.state;
      const last = end ?? (await host.context.laneStore.tail(host.model, record.info.id, this.#stop.signal));
      if (behind < firstRetained - 1) {
        const message = `${field}: lane ${lane} is retained from seq ${firstRetained}; seq ${behind + 1} is gone`;
        throw belowRetention(this.#target, message, firstRetained);
      }
      if (behind <= last) continue;
      const description = `lane ${lane} has ${last} entries, so seq ${behind} is not behind any of them`;
      throw fault.outOfRange("POSITION_AHEAD", `${field}: ${description}`, { metadata: { lane } });
    }
  }
}

function wanted(entry: Entry, { until, epoch }: Plan): boolean {
  return (until === undefined || entry.seq <= until) && (epoch === undefined || entry.epoch >= epoch);
}

function belowRetention(target: StreamTarget, message: string, firstRetained: Seq) {
  target.host.context.log.warn("subscription.below-retention", { stream: target.resource, message });
  return fault.outOfRange("BELOW_RETENTION", `${message}: subscribe from what is retained`, {
    metadata: { firstRetained: String(firstRetained) },
  });
}
