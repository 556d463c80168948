/**
 * The lanes that this ingress writes of one stream: groups of `lanes` lanes each, opened together on the first publish,
 * rolled over together when one of them closes (R5, R8) or when the stream's lanes or retention change (R3).
 *
 * G1. A message goes to an open lane of the stream's identity, of a writer whose lease is not lost.
 * G2. Lane i of a group that continues another names lane i of that one as its predecessor, so a key's messages, which
 *     stay in lane i, are read in their order. Where the number of lanes has changed, each names some lane of that
 *     one: whoever reads a lane reads the whole group before it first.
 * G3. A group that does not fit the stream's lanes and retention any more ends once the next one is open (R3); whoever
 *     writes to it, with or without a producer's id, goes on in one that fits.
 */
import type { StreamContent } from "@greco/domain/epoch";
import type { LaneInfo } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { parseEntityIdentity } from "@greco/domain/model";
import type { LaneWriter, LedgerFollower, OpenLane, OpenLaneRequest } from "@greco/lane-kit";
import { LaneEndedError } from "@greco/lane-kit";
import type { Ids, Log } from "@greco/ports";
import { untilAborted } from "./waiting.ts";

export type LaneGroup = {
  readonly id: string;
  readonly writer: LaneWriter;
  readonly lanes: readonly OpenLane[];
  readonly retentionMs: number | undefined;
};

export type GroupShape = Pick<StreamContent, "lanes" | "retentionMs">;

export type LaneGroupsOptions = {
  readonly stream: EntityIdentity;
  readonly ledger: LedgerFollower;
  readonly ids: Ids;
  readonly log: Log;
  /** The writer of now, or the next one. */
  readonly writer: () => Promise<LaneWriter>;
  /** What the stream says at the newest epoch. */
  readonly shape: () => Promise<GroupShape>;
};

/** Continuations that are remembered; a producer whose group is forgotten names its lane and is looked up (R5). */
const SUCCESSORS_MAX = 256;

/** The stream is not in force any more: there are no lanes to be had. */
export class StreamGoneError extends Error {
  override name = "StreamGoneError";
}

export const isOpen = (group: LaneGroup): boolean =>
  !group.writer.lost.aborted && group.lanes.every((lane) => !lane.closed.aborted);

const fits = (group: LaneGroup, { lanes, retentionMs }: GroupShape): boolean =>
  group.lanes.length === lanes && group.retentionMs === retentionMs;

const laneIds = (group: LaneGroup): LaneInfo["id"][] => group.lanes.map((lane) => lane.id);

export class LaneGroups {
  readonly stream: EntityIdentity;
  readonly #options: LaneGroupsOptions;
  readonly #open = new Set<LaneGroup>();
  /** By the id of the group that is continued. */
  readonly #successors = new Map<string, LaneGroup>();
  readonly #opening = new Map<string, Promise<LaneGroup>>();
  #current: LaneGroup | undefined;
  #reshape = false;

  constructor(options: LaneGroupsOptions) {
    this.#options = options;
    this.stream = options.stream;
  }

  /** Groups that are open. */
  open(): readonly LaneGroup[] {
    return [...this.#open];
  }

  /** The open group that has this lane. */
  find(lane: string): LaneGroup | undefined {
    return this.open().find((group) => group.lanes.some(({ id }) => id === lane));
  }

  /** The stream's binding has changed: the next publish looks whether its lanes still fit. */
  reconsider(): void {
    this.#reshape = true;
  }

  /** The stream's binding has changed, and nobody has looked yet whether its lanes still fit. */
  get unsettled(): boolean {
    return this.#reshape;
  }

  /** Where new messages go. `StreamGoneError`. */
  async current(signal: AbortSignal): Promise<LaneGroup> {
    const group = this.#current;
    if (group !== undefined && isOpen(group) && !this.#reshape) return group;
    return untilAborted(
      this.#shared("current", () => this.#renew()),
      signal,
    );
  }

  /** The open group that continues a closed one; `lanes`: its lanes, by index. */
  async successor(id: string, lanes: readonly LaneInfo["id"][], signal: AbortSignal): Promise<LaneGroup> {
    return untilAborted(this.#successor(id, lanes), signal);
  }

  async #successor(id: string, lanes: readonly LaneInfo["id"][]): Promise<LaneGroup> {
    const known = this.#successors.get(id);
    if (known === undefined) return this.#shared(id, () => this.#continue(id, lanes));
    return isOpen(known) ? known : this.#successor(known.id, laneIds(known));
  }

  /** Begun once for all who wait, whoever of them gives up. */
  async #shared(key: string, open: () => Promise<LaneGroup>): Promise<LaneGroup> {
    let opening = this.#opening.get(key);
    if (opening === undefined) {
      opening = open().finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  async #renew(): Promise<LaneGroup> {
    this.#reshape = false;
    try {
      const shape = await this.#options.shape();
      const before = this.#current;
      const group = await this.#fitting(before, shape);
      this.#current = group;
      // G3: those too that producers write to.
      for (const each of this.open()) if (each !== group && !fits(each, shape)) this.#end(each);
      return group;
    } catch (error) {
      // Nothing is known of the new shape: the next publish looks again.
      this.#reshape = true;
      throw error;
    }
  }

  /** `before`, if it is open and fits, else what continues it. */
  async #fitting(before: LaneGroup | undefined, shape: GroupShape): Promise<LaneGroup> {
    if (before !== undefined && isOpen(before) && fits(before, shape)) return before;
    // G2: of a lost writer's lanes nobody knows the end yet; what goes on without a producer's id does not wait for it.
    if (before === undefined || before.writer.lost.aborted) return this.#openGroup(shape, []);
    const next = await this.#successor(before.id, laneIds(before));
    return fits(next, shape) ? next : this.#successor(next.id, laneIds(next));
  }

  async #continue(id: string, lanes: readonly LaneInfo["id"][]): Promise<LaneGroup> {
    const group = await this.#openGroup(await this.#options.shape(), lanes);
    this.#successors.set(id, group);
    for (const oldest of this.#successors.keys()) {
      if (this.#successors.size <= SUCCESSORS_MAX) break;
      this.#successors.delete(oldest);
    }
    if (this.#current === undefined || !isOpen(this.#current)) this.#current = group;
    return group;
  }

  async #openGroup(shape: GroupShape, predecessors: readonly LaneInfo["id"][]): Promise<LaneGroup> {
    const { ids, ledger, log, writer: writerOf } = this.#options;
    const writer = await writerOf();
    const id = ids.next();
    const { retentionMs } = shape;
    const opening = Array.from({ length: shape.lanes }, (_, index) => {
      // G2: with more lanes than before, several name the same one.
      const predecessor = predecessors[index % Math.max(1, predecessors.length)];
      const request: OpenLaneRequest = {
        stream: this.stream,
        group: { id, index, size: shape.lanes },
        ...(retentionMs === undefined ? {} : { retentionMs }),
        ...(predecessor === undefined ? {} : { predecessor }),
      };
      return writer.openLane(request, writer.lost);
    });
    const lanes = await Promise.all(opening).catch(async (error: unknown) => {
      if (!writer.lost.aborted) throw error;
      // Nothing of this group was used; the next writer opens another.
      await Promise.allSettled(opening);
    });
    if (lanes === undefined) return this.#openGroup(shape, predecessors);
    const group: LaneGroup = { id, writer, lanes, retentionMs };
    const { key } = parseEntityIdentity(this.stream);
    const gone = lanes.some((lane) => ledger.index.identityAt(lane.epoch, key) !== this.stream);
    if (gone) {
      this.#end(group);
      throw new StreamGoneError(`${this.stream} is not in force any more`);
    }
    this.#open.add(group);
    for (const lane of lanes) this.#watch(group, lane.closed);
    log.info("lanes.opened", { model: ledger.model, stream: this.stream, group: id, lanes: shape.lanes });
    return group;
  }

  /** One lane closed: the others end with it, so that a producer finds all of its messages in closed lanes (R5). */
  #watch(group: LaneGroup, closed: AbortSignal): void {
    const close = (): void => {
      this.#open.delete(group);
      if (closed.reason instanceof LaneEndedError) this.#end(group);
    };
    if (closed.aborted) close();
    else closed.addEventListener("abort", close, { once: true });
  }

  #end(group: LaneGroup): void {
    const { log, ledger } = this.#options;
    for (const lane of group.lanes) {
      lane.end(group.writer.lost).catch((error: unknown) => {
        if (!group.writer.lost.aborted)
          log.warn("lane.unended", { model: ledger.model, lane: lane.id, error });
      });
    }
  }
}
