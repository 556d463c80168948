/**
 * Where to begin in the ledger: at folded bindings, if nobody needs what is below them (DESIGN §5, Cold boot). For who
 * reads lanes and nothing older than they hold: what bindings were before the snapshot is not known afterwards.
 *
 * I6. The snapshot is at or below the epoch of the first retained row of every live lane, so that every position that
 *     may be read has the bindings of its epoch. A lane that is registered later opens no lower: its writer reads the
 *     ledger after that (R3), and derived lanes open where their inputs are.
 */
import type { FoldedBindings } from "@greco/domain/epoch";
import type { ModelId } from "@greco/domain/model";
import { epoch } from "@greco/domain/model";
import type { BindingStore, LaneRecord, LaneStore } from "@greco/ports";
import { BelowRetentionError } from "@greco/ports";

export type SnapshotStartOptions = {
  readonly laneStore: Pick<LaneStore, "listLanes" | "read">;
  readonly bindingStore: Pick<BindingStore, "getSnapshot">;
  readonly model: ModelId;
};

/** Lanes looked at at once. */
const LOOKS = 16;

/** Undefined: from the ledger's beginning. */
export async function snapshotStart(
  { laneStore, bindingStore, model }: SnapshotStartOptions,
  signal: AbortSignal,
): Promise<FoldedBindings | undefined> {
  const newest = await bindingStore.getSnapshot(model, epoch(Number.MAX_SAFE_INTEGER), signal);
  if (newest === undefined) return undefined;
  const lanes = await laneStore.listLanes(model, {}, signal);
  let needed: number = newest.epoch;
  for (let at = 0; at < lanes.length && needed > 0; at += LOOKS) {
    const some = lanes.slice(at, at + LOOKS).map((lane) => firstEpoch(laneStore, model, lane, signal));
    needed = Math.min(needed, ...(await Promise.all(some)));
  }
  if (needed === newest.epoch) return newest;
  return needed > 0 ? bindingStore.getSnapshot(model, epoch(needed), signal) : undefined;
}

/** Of the first row that can be read; 0: nobody knows yet. */
async function firstEpoch(
  laneStore: Pick<LaneStore, "read">,
  model: ModelId,
  { info, state }: LaneRecord,
  signal: AbortSignal,
): Promise<number> {
  // Read to its end, or empty for ever.
  if (state.end !== undefined && state.end < state.firstRetained) return Number.POSITIVE_INFINITY;
  try {
    const { entries } = await laneStore.read(model, info.id, state.firstRetained, 1, signal);
    return entries[0]?.epoch ?? 0;
  } catch (error) {
    if (error instanceof BelowRetentionError) return 0;
    throw error;
  }
}
