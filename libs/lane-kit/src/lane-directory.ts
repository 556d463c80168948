/** The live lanes of a model, followed: one listing for all who wait for lanes to appear, to end, to get a successor. */
import type { LaneId } from "@greco/domain/lane";
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import type { Clock, LaneRecord, LaneStore, Log, Wake } from "@greco/ports";

export type LaneDirectoryOptions = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: ModelId;
  /** Default 250. Wakes make it quicker. */
  readonly pollMs?: number;
};

export interface LaneDirectory extends AsyncDisposable {
  /** As last listed; without finished ones. */
  lanes(stream?: EntityIdentity): readonly LaneRecord[];
  get(lane: LaneId): LaneRecord | undefined;
  /** Lists again, by a listing that begins after this call. */
  refresh(signal: AbortSignal): Promise<void>;
  /** Calls `listener` after each listing that differs from the one before, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** Lists once, then follows until it is disposed or the signal aborts. */
export type FollowLanes = (options: LaneDirectoryOptions, signal: AbortSignal) => Promise<LaneDirectory>;
