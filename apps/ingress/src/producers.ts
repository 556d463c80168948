/**
 * What producers with an id have stored (R5): a number that is stored already is acknowledged with its position and not
 * stored again.
 *
 * P1. A number is stored at most once in a stream, also when its producer comes from another ingress, or when this one
 *     has lost its lanes: the lanes in which it may stand are closed (by their live writer, or sealed), read back, and
 *     only then does the producer go on, in lanes that continue them (per-key order holds through the move).
 * P2. What is remembered of a producer is a window of its numbers; one below it is refused, never stored a second time.
 */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import { laneId, seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { parseEntityIdentity } from "@greco/domain/model";
import type { LaneRecord } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { fault } from "@greco/service-kit";
import type { LaneGroup, LaneGroups } from "./lane-groups.ts";
import { isOpen } from "./lane-groups.ts";
import type { ModelHost } from "./model-host.ts";
import { untilAborted } from "./waiting.ts";

export type Place = { readonly lane: LaneId; readonly seq: Seq; readonly epoch: Epoch };

export type ProducerClaim = { readonly id: string; readonly lastLane: string; readonly lastSeq: number };

/** The lanes of one group, wherever they were written. */
type Origin = { readonly id: string; readonly lanes: readonly LaneRecord[] };

const PAGE = 500;
/** How often what is remembered is counted. */
const CALLS_A_LOOK = 1_000;

/** One producer in one stream. */
export class Producer {
  readonly id: string;
  /** Where a number stands, or will stand. */
  readonly numbers = new Map<number, Place | Promise<Place>>();
  readonly #window: number;
  /** Groups whose rows are all accounted for in `numbers`: ours while open, others once closed and read. */
  readonly #accounted = new Set<string>();
  /** Lanes named as the last one whose group was accounted for. */
  readonly lastLanes = new Set<string>();
  #highest = 0;
  group: LaneGroup | undefined;
  /** Changes of the group one after the other. */
  turn: Promise<unknown> = Promise.resolve();

  constructor(id: string, window: number) {
    this.id = id;
    this.#window = window;
  }

  /** P2: below it nothing is known any more. */
  get floor(): number {
    return this.#highest - this.#window;
  }
  get highest(): number {
    return this.#highest;
  }
  get busy(): boolean {
    for (const place of this.numbers.values()) if (place instanceof Promise) return true;
    return false;
  }

  accounted(group: string): boolean {
    return this.#accounted.has(group);
  }

  writesTo(group: LaneGroup): void {
    this.group = group;
    this.#accounted.add(group.id);
  }

  read(origin: string, found: ReadonlyMap<number, Place>): void {
    for (const [number, place] of found) this.put(number, place);
    this.#accounted.add(origin);
  }

  put(number: number, place: Place | Promise<Place>): void {
    this.numbers.set(number, place);
    this.#highest = Math.max(this.#highest, number);
    for (const [oldest, standing] of this.numbers) {
      if (oldest > this.floor || standing instanceof Promise) return;
      this.numbers.delete(oldest);
    }
  }

  /** It was not stored, or nobody knows: the next attempt looks again. */
  forget(number: number): void {
    this.numbers.delete(number);
  }
}

export class Producers {
  readonly #host: ModelHost;
  /** By stream and id, the least recently used first. */
  readonly #known = new Map<string, Producer>();
  #calls = 0;

  constructor(host: ModelHost) {
    this.#host = host;
  }

  /**
   * The producer, with everything known that it may have stored, and an open group to write to. Waits for lanes
   * elsewhere to close, up to four leases where their writer is dead.
   */
  async ready(
    groups: LaneGroups,
    claim: ProducerClaim,
    signal: AbortSignal,
  ): Promise<{ readonly producer: Producer; readonly group: LaneGroup }> {
    const producer = this.#producer(groups.stream, claim.id);
    const group = this.#settledGroup(groups, producer, claim);
    if (group !== undefined) return { producer, group };
    // P1: one move at a time; who gives up waiting does not stop it for the others.
    const turn = producer.turn.then(() => this.#move(groups, producer, claim));
    producer.turn = turn.catch(() => undefined);
    return { producer, group: await untilAborted(turn, signal) };
  }

  #producer(stream: EntityIdentity, id: string): Producer {
    const key = `${stream} ${id}`;
    const producer = this.#known.get(key) ?? new Producer(id, this.#host.context.limits.producerWindow);
    this.#known.delete(key);
    this.#known.set(key, producer);
    this.#calls += 1;
    if (this.#calls % CALLS_A_LOOK === 0) this.#evict(producer);
    return producer;
  }

  #evict(used: Producer): void {
    let numbers = 0;
    for (const { numbers: each } of this.#known.values()) numbers += each.size;
    for (const [key, producer] of this.#known) {
      if (numbers <= this.#host.context.limits.producerNumbers) return;
      if (producer === used || producer.busy) continue;
      this.#known.delete(key);
      numbers -= producer.numbers.size;
    }
  }

  /** Its group, if nothing has to be looked up. */
  #settledGroup(groups: LaneGroups, producer: Producer, claim: ProducerClaim): LaneGroup | undefined {
    const { group } = producer;
    if (group === undefined || !isOpen(group)) return undefined;
    if (claim.lastLane === "") return group;
    const last = groups.find(claim.lastLane);
    if (last !== undefined && producer.accounted(last.id)) return group;
    return producer.lastLanes.has(claim.lastLane) ? group : undefined;
  }

  async #move(groups: LaneGroups, producer: Producer, claim: ProducerClaim): Promise<LaneGroup> {
    const signal = this.#host.signal;
    if (claim.lastLane !== "" && !producer.lastLanes.has(claim.lastLane)) {
      const origin = await this.#originOf(groups, laneId(claim.lastLane));
      if (origin !== undefined && !producer.accounted(origin.id)) {
        const own = groups.open().find(({ id }) => id === origin.id);
        // Our own lanes need not close: whatever of them is under way for this producer is known here.
        const closed = own === undefined ? await this.#close(origin) : origin.lanes;
        producer.read(origin.id, await this.#readBack(producer, closed, claim));
        const ids = origin.lanes.map(({ info }) => info.id);
        producer.writesTo(own ?? (await groups.successor(origin.id, ids, signal)));
      }
      producer.lastLanes.add(claim.lastLane);
    }
    const { group } = producer;
    if (group !== undefined && !isOpen(group)) await this.#moveOn(groups, producer, group);
    if (producer.group === undefined) producer.writesTo(await groups.current(signal));
    return producer.group as LaneGroup;
  }

  /** Our own group has closed. Ended: all of it is known. Lost: what was under way may have been stored. */
  async #moveOn(groups: LaneGroups, producer: Producer, group: LaneGroup): Promise<void> {
    if (group.writer.lost.aborted) {
      const records = await Promise.all(group.lanes.map(({ id }) => this.#lane(id)));
      const origin = { id: group.id, lanes: records.filter((record) => record !== undefined) };
      producer.read(group.id, await this.#readBack(producer, await this.#close(origin), undefined));
    }
    const ids = group.lanes.map(({ id }) => id);
    producer.writesTo(await groups.successor(group.id, ids, this.#host.signal));
  }

  #lane(id: LaneId): Promise<LaneRecord | undefined> {
    const { context, model, signal } = this.#host;
    return context.laneStore.getLane(model, id, signal);
  }

  /** The group of a lane that the producer names; undefined: it belongs to an earlier stream of this name. */
  async #originOf(groups: LaneGroups, lane: LaneId): Promise<Origin | undefined> {
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
    const lanes = siblings
      .filter(({ info }) => info.group?.id === group.id)
      .toSorted((a, b) => (a.info.group?.index ?? 0) - (b.info.group?.index ?? 0));
    return { id: group.id, lanes };
  }

  /** R5: asks for the lanes' ends, and waits for them: from a live writer, or from whoever seals a dead one. */
  async #close({ id, lanes }: Origin): Promise<readonly LaneRecord[]> {
    const { context, model, signal } = this.#host;
    const { laneStore, clock, log, limits, wake } = context;
    for (const { info, state } of lanes)
      if (state.end === undefined) await laneStore.requestClose(model, info.id, signal);
    log.info("producer.moves", { model, group: id });
    wake.notify(wakeTopics.lanes(model));
    const ended: LaneRecord[] = [];
    for (const { info } of lanes) {
      for (;;) {
        const record = await this.#lane(info.id);
        if (record?.state.end !== undefined) {
          ended.push(record);
          break;
        }
        await clock.sleep(Math.min(limits.pollMs, limits.leaseMs / 10), signal);
      }
    }
    return ended;
  }

  /** The producer's numbers in these lanes and, as far as its window reaches, in those that they continue. */
  async #readBack(
    producer: Producer,
    lanes: readonly LaneRecord[],
    claim: ProducerClaim | undefined,
  ): Promise<ReadonlyMap<number, Place>> {
    const found = new Map<number, Place>();
    const named = claim === undefined ? 0 : await this.#numberAt(claim);
    const highest = { number: Math.max(producer.highest, named) };
    for (const lane of lanes) {
      for (let next: LaneRecord | undefined = lane; next !== undefined;) {
        const whole: boolean = await this.#readLane(producer, next, found, highest);
        const before: LaneId | undefined = next.info.predecessor;
        next = whole && before !== undefined ? await this.#lane(before) : undefined;
      }
    }
    return found;
  }

  async #numberAt({ id, lastLane, lastSeq }: ProducerClaim): Promise<number> {
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
    found: Map<number, Place>,
    highest: { number: number },
  ): Promise<boolean> {
    const { context, model, signal } = this.#host;
    const { producerScanRows, producerWindow } = context.limits;
    let at: number = state.end ?? (await context.laneStore.tail(model, info.id, signal));
    const from = at;
    while (at >= state.firstRetained) {
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
    return true;
  }
}
