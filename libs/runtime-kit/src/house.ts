/**
 * The house as a runtime sees it at one moment: live lanes, who reads them, who has claimed what; and what follows:
 * which units have work to do, which wait for others, which lanes are finished.
 */
import type { ReadRange } from "@greco/domain/epoch";
import type { LaneId, LaneInfo } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import type { Claim, LaneRecord } from "@greco/ports";
import type { LaneSpan } from "./lane-spans.ts";
import { reaches } from "./lane-spans.ts";

export type HouseOptions = {
  readonly lanes: readonly LaneRecord[];
  readonly spans: ReadonlyMap<LaneId, LaneSpan>;
  /** Of all queries, other runtimes' too. */
  readonly ranges: readonly ReadRange[];
  readonly claims: readonly Claim[];
  /** Groups of lanes that live ones continue and that are not live any more themselves. */
  readonly formerGroups?: ReadonlyMap<LaneId, string>;
};

export const unitKey = (query: EntityIdentity, lane: LaneId): string => `${query} ${lane}`;

export class House {
  readonly #lanes: ReadonlyMap<LaneId, LaneRecord>;
  readonly #groups = new Map<string, LaneRecord[]>();
  readonly #claims: ReadonlyMap<string, Claim>;
  readonly #readers = new Map<EntityIdentity, ReadRange[]>();
  readonly #spans: HouseOptions["spans"];
  readonly #formerGroups: ReadonlyMap<LaneId, string>;
  readonly #continued = new Set<LaneId>();

  constructor({ lanes, spans, ranges, claims, formerGroups }: HouseOptions) {
    this.#formerGroups = formerGroups ?? new Map();
    this.#lanes = new Map(lanes.map((lane) => [lane.info.id, lane]));
    this.#spans = spans;
    this.#claims = new Map(claims.map((claim) => [unitKey(claim.query, claim.inputLane), claim]));
    for (const range of ranges) push(this.#readers, range.stream, range);
    for (const lane of lanes) {
      if (lane.info.group !== undefined) push(this.#groups, lane.info.group.id, lane);
      if (lane.info.predecessor !== undefined) this.#continued.add(lane.info.predecessor);
    }
  }

  claimOf(query: EntityIdentity, lane: LaneId): Claim | undefined {
    return this.#claims.get(unitKey(query, lane));
  }

  /** Queries that have, or had, something to do in a lane. */
  readersOf({ info }: LaneRecord): readonly EntityIdentity[] {
    const span = this.#spans.get(info.id);
    const ranges = this.#readers.get(info.stream) ?? [];
    const reading = ranges.filter((range) => span === undefined || reaches(span, range));
    return [...new Set(reading.map(({ query }) => query))];
  }

  isDone(query: EntityIdentity, lane: LaneId): boolean {
    return this.claimOf(query, lane)?.done ?? false;
  }

  /**
   * Whether the lanes that this one continues are done for the query: it is read after them. One that is not live any
   * more is finished, and so is everything before it.
   */
  isReady(query: EntityIdentity, { info }: LaneRecord): boolean {
    return this.#before(info).every(
      (lane) =>
        (this.isDone(query, lane.info.id) || !this.readersOf(lane).includes(query)) &&
        this.isReady(query, lane),
    );
  }

  /**
   * Finished: ended, and everybody has read it to its end. Those that it continues must have left before it, so that
   * who has left says something of all before it. A derived lane stays while it may be the one that shows how far its
   * query has come (R7): until its input has left, or another lane continues it.
   */
  isFinished(lane: LaneRecord): boolean {
    const { info } = lane;
    if (this.#before(info).length > 0) return false;
    const inputLives = info.derived !== undefined && this.#lanes.has(info.derived.inputLane);
    if (inputLives && !this.#continued.has(info.id)) return false;
    return this.#isRead(lane);
  }

  #isRead(lane: LaneRecord): boolean {
    const { info, state } = lane;
    return state.end !== undefined && this.readersOf(lane).every((query) => this.isDone(query, info.id));
  }

  /**
   * The live ones among the lanes that a lane continues: the named one, and those opened together with it (R5). One of
   * its own group (a query's lane that was taken over) is continued alone: the others go on beside it.
   */
  #before({ predecessor, group: own }: LaneInfo): readonly LaneRecord[] {
    if (predecessor === undefined) return [];
    const named = this.#lanes.get(predecessor);
    if (named !== undefined) return named.info.group?.id === own?.id ? [named] : this.#together(named);
    const group = this.#formerGroups.get(predecessor);
    return group === undefined || group === own?.id ? [] : (this.#groups.get(group) ?? []);
  }

  #together(lane: LaneRecord): readonly LaneRecord[] {
    const { group } = lane.info;
    return group === undefined ? [lane] : (this.#groups.get(group.id) ?? [lane]);
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
