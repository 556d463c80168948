/**
 * A unit's derived lanes: one for its outputs, one for dead letters. Each opens behind the unit's last one in its stream.
 *
 * I7. A lane opens no lower than where its predecessor ended, and no lower than the input at its position.
 */
import type { LaneId, LaneInfo, Seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { epoch, invariant } from "@greco/domain/model";
import type { OpenLane } from "@greco/lane-kit";
import type { Tip } from "./recovery.ts";
import type { Step, Target } from "./unit-machine.ts";
import type { UnitWorld } from "./unit-world.ts";

/** What a checkpoint names of lanes that have ended: those of the newest switches; older ones have ends already. */
const ENDED_LANES_NAMED = 8;
/** Beside payload and key; more than a lane counts for a row, so that what has room here has room there. */
const ROW_BYTES = 128;

export type UnitLanesOptions = {
  readonly world: UnitWorld;
  readonly query: EntityIdentity;
  readonly input: LaneInfo;
  /** The unit's last lane in each stream. */
  readonly tips: ReadonlyMap<EntityIdentity, Tip>;
  /** A lane takes no more, though nobody here has ended it: somebody asked for its end (R5). */
  readonly closed: () => void;
};

export type NamedRow = { readonly lane: LaneId; readonly seq: Seq };

export class UnitLanes {
  readonly #options: UnitLanesOptions;
  readonly #tips: Map<EntityIdentity, Tip>;
  readonly #lanes = new Map<Target, OpenLane>();
  readonly #ended: NamedRow[] = [];

  constructor(options: UnitLanesOptions) {
    this.#options = options;
    this.#tips = new Map(options.tips);
  }

  get(target: Target): OpenLane {
    const lane = this.#lanes.get(target);
    invariant(lane !== undefined, "a step writes to an open lane");
    return lane;
  }

  readonly hasRoom = (target: Target, entries: number, bytes: number): boolean =>
    this.#lanes.get(target)?.hasRoom(entries, bytes + entries * ROW_BYTES) ?? false;

  /** Resolves, once the lane's first row is durable, with the epoch at which it has opened. */
  async open(
    { target, stream, retentionMs, after }: Step & { type: "open" },
    signal: AbortSignal,
  ): Promise<Epoch> {
    const { world, query, input, closed } = this.#options;
    const { writer, log, failpoint } = world;
    const tip = this.#tips.get(stream);
    const openAt = epoch(Math.max(after.epoch, tip?.epoch ?? 0));
    const { id: inputLane, group } = input;
    // Its first row is a marker, too.
    await failpoint?.(`runtime.marker.before@${openAt}`);
    const lane = await writer.openLane(
      {
        stream,
        openAt,
        openSource: { query, lane: inputLane, seq: after.seq },
        derived: { query, inputLane },
        ...(tip === undefined ? {} : { predecessor: tip.lane }),
        ...(group === undefined ? {} : { group: { ...group, id: `${group.id}/${query}` } }),
        ...(retentionMs === undefined ? {} : { retentionMs }),
      },
      signal,
    );
    await failpoint?.(`runtime.marker.after@${openAt}`);
    this.#lanes.set(target, lane);
    const isClosed = (): void => {
      if (this.#lanes.get(target) === lane) closed();
    };
    lane.closed.addEventListener("abort", isClosed, { once: true });
    if (lane.closed.aborted) isClosed();
    log.debug("unit.opened", { query, lane: inputLane, output: lane.id, epoch: openAt });
    return openAt;
  }

  async end(target: Target, signal: AbortSignal): Promise<void> {
    const lane = this.get(target);
    this.#lanes.delete(target);
    try {
      this.#ended.push({ lane: lane.id, seq: await lane.end(signal) });
      if (this.#ended.length > ENDED_LANES_NAMED) this.#ended.shift();
    } catch (error) {
      this.#lanes.set(target, lane);
      throw error;
    }
    const { stream } = lane.info;
    const before = this.#tips.get(stream)?.epoch ?? 0;
    this.#tips.set(stream, { lane: lane.id, epoch: epoch(Math.max(before, lane.epoch)) });
  }

  /** After trouble: those that are still open end where they stand. */
  async endAll(signal: AbortSignal): Promise<void> {
    for (const lane of this.#lanes.values()) await lane.end(signal);
    this.#lanes.clear();
  }

  /** The last durable row of each, for a checkpoint. */
  durable(): readonly NamedRow[] {
    const open = [...this.#lanes.values()].map((lane) => ({ lane: lane.id, seq: lane.durable }));
    return [...this.#ended, ...open];
  }
}
