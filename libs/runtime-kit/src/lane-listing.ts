/**
 * All lanes of a stream, finished ones too, for who takes a unit over. A listing that is asked for is one that begins
 * afterwards, so that it shows every lane registered before a seal; all who ask meanwhile share it.
 */
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import type { LaneRecord, LaneStore } from "@greco/ports";

type Listing = Promise<readonly LaneRecord[]>;
type State = { running?: Listing; queued?: Listing };

export class LaneListing {
  readonly #laneStore: LaneStore;
  readonly #model: ModelId;
  /** Shared listings end with the runtime, not with who asked first. */
  readonly #signal: AbortSignal;
  readonly #streams = new Map<EntityIdentity, State>();

  constructor(laneStore: LaneStore, model: ModelId, signal: AbortSignal) {
    this.#laneStore = laneStore;
    this.#model = model;
    this.#signal = signal;
  }

  lanesOf(stream: EntityIdentity): Listing {
    const state = this.#streams.get(stream) ?? {};
    this.#streams.set(stream, state);
    state.queued ??= this.#next(stream, state);
    return state.queued;
  }

  async #next(stream: EntityIdentity, state: State): Listing {
    await state.running?.catch(() => undefined);
    const running = this.#laneStore.listLanes(this.#model, { stream, includeFinished: true }, this.#signal);
    state.running = running;
    delete state.queued;
    try {
      return await running;
    } finally {
      if (state.running === running) delete state.running;
    }
  }
}
