/** From which epoch to which a lane reaches: read once each, because neither end ever changes. */
import type { ReadRange } from "@greco/domain/epoch";
import type { LaneId } from "@greco/domain/lane";
import type { Epoch, ModelId } from "@greco/domain/model";
import { epoch } from "@greco/domain/model";
import type { LaneRecord, LaneStore } from "@greco/ports";

/** `opened`: of its first row; undefined: none yet. `ended`: of its last row; undefined: it goes on. */
export type LaneSpan = { readonly opened: Epoch | undefined; readonly ended: Epoch | undefined };

export class LaneSpans {
  readonly #laneStore: LaneStore;
  readonly #model: ModelId;
  readonly #opened = new Map<LaneId, Epoch>();
  readonly #ended = new Map<LaneId, Epoch>();

  constructor(laneStore: LaneStore, model: ModelId) {
    this.#laneStore = laneStore;
    this.#model = model;
  }

  async spanOf({ info, state }: LaneRecord, signal: AbortSignal): Promise<LaneSpan> {
    const { id } = info;
    let opened = this.#opened.get(id);
    if (opened === undefined) {
      const read = await this.#laneStore.read(this.#model, id, state.firstRetained, 1, signal);
      opened = read.entries[0]?.epoch;
      if (opened !== undefined) this.#opened.set(id, opened);
    }
    if (state.end === undefined) return { opened, ended: undefined };
    let ended = this.#ended.get(id);
    if (ended === undefined) {
      const [last] =
        state.end === 0 ? [] : await this.#laneStore.readBackwards(this.#model, id, state.end, 1, signal);
      ended = last?.epoch ?? epoch(0);
      this.#ended.set(id, ended);
    }
    return { opened, ended };
  }

  /** Forgets all but these. */
  keep(lanes: ReadonlySet<LaneId>): void {
    for (const id of this.#opened.keys()) if (!lanes.has(id)) this.#opened.delete(id);
    for (const id of this.#ended.keys()) if (!lanes.has(id)) this.#ended.delete(id);
  }
}

/** Whether a lane holds, or may come to hold, messages of the epochs in a range. */
export function reaches(
  { opened, ended }: LaneSpan,
  { since, until }: Pick<ReadRange, "since" | "until">,
): boolean {
  if (ended !== undefined && (ended < since || ended === 0)) return false;
  return until === undefined || opened === undefined || opened < until;
}
