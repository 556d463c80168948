/**
 * What producers with an id have stored (R5): a number that is stored already is acknowledged with its position and not
 * stored again.
 *
 * P1. A number is stored at most once in a stream, also when its producer comes from another ingress, or when this one
 *     has lost its lanes: the lanes in which it may stand are closed (by their live writer, or sealed), read back, and
 *     only then does the producer go on, in lanes that continue them (per-key order holds through the move). They are
 *     the group of the lane that it names, those that this one continues, and those that continue it, whoever wrote
 *     them. Lanes that appear while the producer's next ones open are found by a second look.
 * P2. What is remembered of a producer is a window of its numbers; one below it is refused, never stored a second time.
 * P3. Live lanes are closed where the producer may have a request under way: those of the writer whose lane it names.
 *     Others that continue its lanes are read, and closed only where they hold something of it. Otherwise producers of
 *     one ingress that have gone to two others, and stay there, would close each other's lanes for ever.
 * P4. Memory is bounded by producers and by their numbers. One that is forgotten and names a lane is looked up again.
 *
 * What is promised to a producer that moves: it names the lane of its last acknowledgement or, before the first one, the
 * lane that a batch without messages was answered with. One that moves and names none (a unary first message of unknown
 * outcome) is served at least once: nobody knows where to look. Nor is a request found that still runs at an ingress
 * whose lane the producer, back at the one before, does not name: whoever asks there first for the lane can name it.
 */
import type { EntityIdentity } from "@greco/domain/model";
import { laneId } from "@greco/domain/lane";
import { fault } from "@greco/service-kit";
import type { LaneGroup, LaneGroups } from "./lane-groups.ts";
import { isOpen } from "./lane-groups.ts";
import type { ModelHost } from "./model-host.ts";
import type { ProducerClaim } from "./producer.ts";
import { Producer } from "./producer.ts";
import type { Origin, Search } from "./producer-lanes.ts";
import { ProducerLanes } from "./producer-lanes.ts";
import { untilAborted } from "./waiting.ts";

/** Two are the rule. More: its requests at another ingress open lanes as quickly as they are closed. */
const LOOKS_MAX = 8;
/** How often what is remembered is counted. */
const CALLS_A_LOOK = 1_000;

export class Producers {
  readonly #host: ModelHost;
  readonly #lanes: ProducerLanes;
  /** By stream and id, the least recently used first. */
  readonly #known = new Map<string, Producer>();
  /** Groups of ours that forgotten producers have written to. */
  #forgottenIn = new Set<string>();
  #calls = 0;

  constructor(host: ModelHost) {
    this.#host = host;
    this.#lanes = new ProducerLanes(host);
  }

  get size(): number {
    return this.#known.size;
  }

  /** P4: remembered as long as it is held, and afterwards if there is anything to remember. */
  hold(stream: EntityIdentity, id: string): { readonly producer: Producer } & Disposable {
    const key = `${stream} ${id}`;
    const producer = this.#known.get(key) ?? new Producer(id, this.#host.context.limits.producerWindow);
    this.#known.delete(key);
    this.#known.set(key, producer);
    producer.uses += 1;
    this.#calls += 1;
    if (this.#known.size > this.#host.context.limits.producers || this.#calls % CALLS_A_LOOK === 0)
      this.#evict();
    return { producer, [Symbol.dispose]: () => this.#release(key, producer) };
  }

  #release(key: string, producer: Producer): void {
    producer.uses -= 1;
    if (producer.uses > 0 || producer.told || producer.numbers.size > 0) return;
    // Nothing of it was stored.
    if (this.#known.get(key) === producer) this.#known.delete(key);
  }

  /**
   * With everything known that the producer may have stored: an open group to write to. Waits for lanes elsewhere to
   * close, up to four leases where their writer is dead.
   */
  async ready(
    groups: LaneGroups,
    producer: Producer,
    claim: ProducerClaim,
    signal: AbortSignal,
  ): Promise<LaneGroup> {
    const group = this.#settledGroup(groups, producer, claim);
    if (group !== undefined) return group;
    // P1: one move at a time; who gives up waiting does not stop it for the others.
    const { [Symbol.dispose]: release } = this.hold(groups.stream, producer.id);
    const turn = producer.turn.then(() => this.#move(groups, producer, claim)).finally(release);
    producer.turn = turn.catch(() => undefined);
    return untilAborted(turn, signal);
  }

  #evict(): void {
    const { producerNumbers, producers } = this.#host.context.limits;
    // Some at once, since looking at all of them takes its time.
    const most = this.#known.size > producers ? Math.floor(producers * 0.9) : producers;
    let numbers = 0;
    for (const { numbers: each } of this.#known.values()) numbers += each.size;
    for (const [key, producer] of this.#known) {
      if (numbers <= producerNumbers && this.#known.size <= most) break;
      if (producer.uses > 0 || producer.busy) continue;
      this.#known.delete(key);
      numbers -= producer.numbers.size;
      for (const [id, own] of producer.groups) if (own !== undefined) this.#forgottenIn.add(id);
    }
    const open = new Set(this.#host.allGroups().flatMap((groups) => groups.open().map(({ id }) => id)));
    this.#forgottenIn = new Set([...this.#forgottenIn].filter((id) => open.has(id)));
  }

  /** Its group, if nothing has to be looked up. */
  #settledGroup(groups: LaneGroups, producer: Producer, claim: ProducerClaim): LaneGroup | undefined {
    const { group } = producer;
    // R3: lanes that no longer fit the stream end.
    if (group === undefined || !isOpen(group) || groups.unsettled) return undefined;
    if (claim.lastLane === "") return group;
    const last = groups.find(claim.lastLane);
    if (last !== undefined && producer.accounted(last.id)) return group;
    return producer.hasNamed(claim.lastLane) ? group : undefined;
  }

  /** P1: reads everything that the producer may have stored; opens lanes behind it; looks again. */
  async #move(groups: LaneGroups, producer: Producer, claim: ProducerClaim): Promise<LaneGroup> {
    const { signal } = this.#host;
    if (groups.unsettled) await groups.current(signal);
    const settled = this.#settledGroup(groups, producer, claim);
    if (settled !== undefined) return settled;
    const fresh = claim.lastLane !== "" && !producer.hasNamed(claim.lastLane);
    const origin = fresh ? await this.#lanes.originOf(groups, laneId(claim.lastLane)) : undefined;
    const arrives = origin !== undefined && !producer.groups.has(origin.id);
    const named = origin === undefined ? 0 : await this.#lanes.numberAt(claim);
    let opened: { readonly group: LaneGroup; readonly behind: string } | undefined;
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      const starts = new Set(producer.groups.keys());
      if (origin !== undefined) starts.add(origin.id);
      const reached = starts.size === 0 ? [] : await this.#lanes.reached(groups, starts);
      for (const each of reached) {
        const known = each.id === origin?.id || producer.groups.has(each.id);
        // P3
        const left = arrives && writerOf(each) === writerOf(origin);
        await this.#account(groups, producer, each, { before: known, surely: known || left }, named);
      }
      const behind = behindOf(producer, reached, origin);
      if (opened !== undefined && isOpen(opened.group) && opened.behind === (behind?.id ?? "")) {
        if (fresh) producer.named(claim.lastLane);
        producer.writesTo(opened.group);
        return opened.group;
      }
      opened = { group: await this.#behind(groups, behind), behind: behind?.id ?? "" };
    }
    const { retryAfterMs } = this.#host.context.limits;
    throw fault.unavailable(
      "PRODUCER_MOVES",
      `producer ${producer.id} is published at another ingress at the same time: publish again when that has ended`,
      { retryAfterMs },
    );
  }

  #behind(groups: LaneGroups, origin: Origin | undefined): Promise<LaneGroup> | LaneGroup {
    if (origin === undefined) return groups.current(this.#host.signal);
    const own = groups.open().find(({ id }) => id === origin.id);
    const lanes = origin.lanes.map(({ info }) => info.id);
    return own ?? groups.successor(origin.id, lanes, this.#host.signal);
  }

  /** Until everything that the producer has stored in the group is known. */
  async #account(
    groups: LaneGroups,
    producer: Producer,
    group: Origin,
    search: Search,
    named: number,
  ): Promise<void> {
    if (producer.accounted(group.id)) return;
    const own = groups.open().find(({ id }) => id === group.id);
    if (own !== undefined) {
      // Our own lanes need not close: whatever of them is under way for this producer is known here.
      if (this.#forgottenIn.has(own.id))
        producer.read(await this.#lanes.readBack(producer, group.lanes, search, named));
      return producer.account(own.id, own);
    }
    if (!search.surely && group.lanes.some(({ state }) => state.end === undefined)) {
      const found = await this.#lanes.readBack(producer, group.lanes, search, named);
      if (found.size === 0) return;
    }
    const closed = await this.#lanes.close(group);
    producer.read(await this.#lanes.readBack(producer, closed, search, named));
    producer.account(group.id, undefined);
  }
}

const writerOf = ({ lanes }: Origin): string | undefined => lanes[0]?.info.writer;

/** The group behind which the producer goes on: the one that has its highest number. */
function behindOf(
  producer: Producer,
  reached: readonly Origin[],
  origin: Origin | undefined,
): Origin | undefined {
  const last = producer.last()?.lane;
  const holds = reached.find(({ lanes }) => lanes.some(({ info }) => info.id === last));
  const own = reached.find(({ id }) => id === producer.group?.id);
  return holds ?? origin ?? own ?? reached[0];
}
