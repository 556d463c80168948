/** The live lanes of a model, followed: one listing for all who wait for lanes to appear, to end, to get a successor. */
import type { LaneId } from "@greco/domain/lane";
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import type { Clock, LaneRecord, LaneStore, Log, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { LANES_POLL_MS } from "./limits.ts";
import { Refresher } from "./refresher.ts";

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

const signature = ({ info, state }: LaneRecord): string =>
  `${info.id} ${state.end ?? "-"} ${state.closeRequested} ${state.firstRetained}`;

/** Lists once, then follows until it is disposed or the signal aborts. */
export async function followLanes(
  options: LaneDirectoryOptions,
  signal: AbortSignal,
): Promise<LaneDirectory> {
  const { laneStore, wake, clock, log, model, pollMs = LANES_POLL_MS } = options;
  const listeners = new Set<() => void>();
  let records = new Map<LaneId, LaneRecord>();
  let seen = "";

  const read = async (readSignal: AbortSignal): Promise<void> => {
    const listed = await laneStore.listLanes(model, {}, readSignal);
    const now = listed.map(signature).join("\n");
    if (now === seen) return;
    seen = now;
    records = new Map(listed.map((record) => [record.info.id, record]));
    for (const listener of listeners) listener();
  };
  const refresher = new Refresher({ read, clock, log, pollMs, event: "lanes.unreadable", fields: { model } });
  const unlisten = wake.listen(wakeTopics.lanes(model), () => refresher.hint());
  try {
    await refresher.start(signal);
  } catch (error) {
    unlisten();
    throw error;
  }
  return {
    lanes: (stream) =>
      [...records.values()].filter(({ info }) => stream === undefined || info.stream === stream),
    get: (lane) => records.get(lane),
    refresh: (refreshSignal) => refresher.refresh(refreshSignal),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      unlisten();
      await refresher[Symbol.asyncDispose]();
    },
  };
}
