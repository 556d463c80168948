/**
 * The lanes in which a producer's numbers may stand (R5): what continues what, closing them, reading them back.
 */
import type { Entry, LaneId } from "@greco/domain/lane";
import { laneId, seq } from "@greco/domain/lane";
import { parseEntityIdentity } from "@greco/domain/model";
import type { LaneRecord } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { fault } from "@greco/service-kit";
import type { LaneGroups } from "./lane-groups.ts";
import type { ModelHost } from "./model-host.ts";
import type { Place, Producer, ProducerClaim } from "./producer.ts";

/** The lanes of one group, wherever they were written, by index. */
export type Origin = { readonly id: string; readonly lanes: readonly LaneRecord[] };

/** How a producer's numbers are looked for. */
export type Search = {
  /** Where others may have them too: in the lanes that these continue. */
  readonly before: boolean;
  /** The producer was there: not finding it within bounds is an error. Otherwise it only may have been. */
  readonly surely: boolean;
};

const PAGE = 500;

export class ProducerLanes {
  readonly #host: ModelHost;

  constructor(host: ModelHost) {
    this.#host = host;
  }

  /** These groups and all that continue them, each behind what it continues. */
  async reached(groups: LaneGroups, starts: ReadonlySet<string>): Promise<readonly Origin[]> {
    const { context, model, signal } = this.#host;
    const filter = { stream: groups.stream, includeFinished: true };
    const lanes = await context.laneStore.listLanes(model, filter, signal);
    const byGroup = new Map<string, LaneRecord[]>();
    const groupOf = new Map<LaneId, string>();
    for (const lane of lanes) {
      if (lane.info.derived !== undefined) continue;
      const id = lane.info.group?.id ?? lane.info.id;
      groupOf.set(lane.info.id, id);
      const together = byGroup.get(id) ?? [];
      byGroup.set(id, together);
      together.push(lane);
    }
    const nexts = new Map<string, Set<string>>();
    for (const [id, together] of byGroup)
      for (const { info } of together) {
        const before = info.predecessor && groupOf.get(info.predecessor);
        if (before !== undefined) nexts.set(before, (nexts.get(before) ?? new Set()).add(id));
      }
    // A set is visited in the order of its growth.
    const reached = new Set([...starts].filter((id) => byGroup.has(id)));
    for (const id of reached) for (const next of nexts.get(id) ?? []) reached.add(next);
    return [...reached].map((id) => ({ id, lanes: byIndex(byGroup.get(id) ?? []) }));
  }

  #lane(id: LaneId): Promise<LaneRecord | undefined> {
    const { context, model, signal } = this.#host;
    return context.laneStore.getLane(model, id, signal);
  }

  /** The group of a lane that the producer names; undefined: it belongs to an earlier stream of this name. */
  async originOf(groups: LaneGroups, lane: LaneId): Promise<Origin | undefined> {
    const record = await this.#lane(lane);
    const field = "producer.last_lane";
    if (record === undefined) {
      const description = `there is no lane ${lane}: it must be the lane of the producer's last acknowledgement`;
      throw fault.invalid("PRODUCER_LANE_UNKNOWN", description, [{ field, description }]);
    }
    const { stream, writer, group, derived } = record.info;
    if (stream !== groups.stream) {
      if (parseEntityIdentity(stream).key === parseEntityIdentity(groups.stream).key) return undefined;
      const description = `lane ${lane} is one of ${stream}, not of ${groups.stream}`;
      throw fault.invalid("PRODUCER_LANE_OTHER_STREAM", description, [{ field, description }]);
    }
    if (derived !== undefined) {
      const description = `lane ${lane} is written by a query, not by producers`;
      throw fault.invalid("PRODUCER_LANE_DERIVED", description, [{ field, description }]);
    }
    if (group === undefined) return { id: lane, lanes: [record] };
    const { context, model, signal } = this.#host;
    const siblings = await context.laneStore.lanesOfWriter(model, writer, signal);
    return { id: group.id, lanes: byIndex(siblings.filter(({ info }) => info.group?.id === group.id)) };
  }

  /** R5: asks for the lanes' ends, and waits for them: from a live writer, or from whoever seals a dead one. */
  async close({ id, lanes }: Origin): Promise<readonly LaneRecord[]> {
    const { context, model, signal } = this.#host;
    const { laneStore, clock, log, limits, wake } = context;
    log.info("producer.moves", { model, group: id });
    const asked = new Set<LaneId>();
    for (let known = lanes; ;) {
      const open = known.filter(({ state }) => state.end === undefined);
      for (const { info } of open) {
        if (asked.has(info.id)) continue;
        asked.add(info.id);
        await laneStore.requestClose(model, info.id, signal);
        wake.notify(wakeTopics.lanes(model));
      }
      if (open.length > 0) await clock.sleep(Math.min(limits.pollMs, limits.leaseMs / 10), signal);
      // Listed again once all have ended: a group that was just opening may have got more lanes meanwhile.
      const [first] = known;
      const siblings = first?.info.group && (await laneStore.lanesOfWriter(model, first.info.writer, signal));
      if (siblings !== undefined) known = byIndex(siblings.filter(({ info }) => info.group?.id === id));
      else
        known = (await Promise.all(known.map(({ info }) => this.#lane(info.id)))).filter(
          (each) => each !== undefined,
        );
      if (known.every(({ state }) => state.end !== undefined)) return known;
    }
  }

  /** The producer's numbers in these lanes and, as far as its window reaches, in those that they continue. */
  async readBack(
    producer: Producer,
    lanes: readonly LaneRecord[],
    search: Search,
    named: number,
  ): Promise<ReadonlyMap<number, Place>> {
    const found = new Map<number, Place>();
    const highest = { number: Math.max(producer.highest, named) };
    for (const lane of lanes) {
      for (let next: LaneRecord | undefined = lane; next !== undefined;) {
        const whole: boolean = await this.#readLane(producer, next, search, found, highest);
        const before: LaneId | undefined = next.info.predecessor;
        next = whole && search.before && before !== undefined ? await this.#lane(before) : undefined;
      }
    }
    return found;
  }

  async numberAt({ id, lastLane, lastSeq }: ProducerClaim): Promise<number> {
    const { context, model, signal } = this.#host;
    if (lastSeq === 0) return 0;
    const [entry] = await context.laneStore.readBackwards(model, laneId(lastLane), seq(lastSeq), 1, signal);
    const producer = entry?.kind === "data" && entry.seq === lastSeq ? entry.producer : undefined;
    return producer?.id === id ? producer.seq : 0;
  }

  /**
   * From the lane's end backwards. True: it was read to its first row, and what is needed may stand in its predecessor.
   * Within a lane a producer's numbers are out of order by less than its window, so twice the window is enough.
   */
  async #readLane(
    producer: Producer,
    { info, state }: LaneRecord,
    { surely }: Search,
    found: Map<number, Place>,
    highest: { number: number },
  ): Promise<boolean> {
    const { context, model, signal } = this.#host;
    const { producerScanRows, producerWindow } = context.limits;
    let at: number = state.end ?? (await context.laneStore.tail(model, info.id, signal));
    const from = at;
    const least = surely
      ? state.firstRetained
      : Math.max(state.firstRetained, producer.lookedUpTo(info.id) + 1);
    while (at >= least) {
      if (from - at > producerScanRows && !surely) break;
      if (from - at > producerScanRows)
        throw fault.precondition(
          "PRODUCER_TOO_FAR_BACK",
          `producer ${producer.id} was not found in the last ${producerScanRows} entries of lane ${info.id}: ` +
            `go on under a new producer id`,
          [{ type: "PRODUCER_TOO_FAR_BACK", subject: producer.id, description: `lane ${info.id}` }],
        );
      const page: readonly Entry[] = await context.laneStore.readBackwards(
        model,
        info.id,
        seq(at),
        PAGE,
        signal,
      );
      for (const entry of page) {
        if (entry.kind !== "data" || entry.producer?.id !== producer.id) continue;
        const { seq: number } = entry.producer;
        if (number <= highest.number - 2 * producerWindow) return false;
        highest.number = Math.max(highest.number, number);
        found.set(number, { lane: info.id, seq: entry.seq, epoch: entry.epoch });
      }
      const last = page.at(-1);
      if (last === undefined) break;
      at = last.seq - 1;
    }
    if (!surely && found.size === 0) producer.looked(info.id, from);
    return true;
  }
}

function byIndex(lanes: readonly LaneRecord[]): readonly LaneRecord[] {
  return lanes.toSorted((a, b) => (a.info.group?.index ?? 0) - (b.info.group?.index ?? 0));
}
