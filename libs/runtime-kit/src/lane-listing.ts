/**
 * All lanes of the model, finished ones too, for who takes a unit over. Of all streams: where a unit has written is read
 * from its lanes, never from bindings, because who takes over may lack those, or stand behind in the ledger, and would
 * do again what was done under them (I8). A listing that is asked for is one that begins afterwards, so that it shows
 * every lane registered before a seal; all who ask meanwhile share it.
 */
import type { LaneId } from "@greco/domain/lane";
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import type { LaneRecord, LaneStore } from "@greco/ports";

export class ListedLanes {
  readonly #lanes: ReadonlyMap<LaneId, LaneRecord>;
  readonly #derived: ReadonlyMap<string, readonly LaneRecord[]>;
  readonly #groups: ReadonlyMap<string | undefined, readonly LaneRecord[]>;

  constructor(lanes: readonly LaneRecord[]) {
    this.#lanes = new Map(lanes.map((lane) => [lane.info.id, lane]));
    const derived = lanes.flatMap((lane) =>
      lane.info.derived === undefined ? [] : { ...lane.info.derived, lane },
    );
    const units = Map.groupBy(derived, ({ query, inputLane }) => `${query} ${inputLane}`);
    this.#derived = new Map([...units].map(([unit, each]) => [unit, each.map(({ lane }) => lane)]));
    this.#groups = Map.groupBy(lanes, ({ info }) => info.group?.id);
  }

  /** Those that a query has written on an input lane. */
  ofUnit(query: EntityIdentity, inputLane: LaneId): readonly LaneRecord[] {
    return this.#derived.get(`${query} ${inputLane}`) ?? [];
  }

  /**
   * The lanes that a lane continues, the one that it names first: with it, those that were opened together with it (R5).
   * One of its own group is continued alone.
   */
  before({ info: { predecessor, group: own } }: LaneRecord): readonly LaneRecord[] {
    const named = predecessor === undefined ? undefined : this.#lanes.get(predecessor);
    if (named === undefined) return [];
    const { group } = named.info;
    const together = group === undefined || group.id === own?.id ? [] : (this.#groups.get(group.id) ?? []);
    return [named, ...together.filter((lane) => lane !== named)];
  }
}

type Listing = Promise<ListedLanes>;

export class LaneListing {
  readonly #laneStore: LaneStore;
  readonly #model: ModelId;
  /** Shared listings end with the runtime, not with who asked first. */
  readonly #signal: AbortSignal;
  #running: Listing | undefined;
  #queued: Listing | undefined;

  constructor(laneStore: LaneStore, model: ModelId, signal: AbortSignal) {
    this.#laneStore = laneStore;
    this.#model = model;
    this.#signal = signal;
  }

  lanes(): Listing {
    this.#queued ??= this.#next();
    return this.#queued;
  }

  async #next(): Listing {
    await this.#running?.catch(() => undefined);
    const running = this.#list();
    this.#running = running;
    this.#queued = undefined;
    try {
      return await running;
    } finally {
      if (this.#running === running) this.#running = undefined;
    }
  }

  async #list(): Listing {
    return new ListedLanes(
      await this.#laneStore.listLanes(this.#model, { includeFinished: true }, this.#signal),
    );
  }
}
