/**
 * Where a unit goes on, found from stored data alone, by whoever takes it over.
 *
 * I8. Each input takes effect once. The unit's lanes are sealed by now, so what stands below their ends is all that
 *     ever counts; and rows were sent so that the greatest input position in any of them says: up to here everything
 *     is done (unit-machine.ts). A checkpoint carries further than that, over inputs without output; it counts only
 *     if all rows that it names stand below the ends.
 *     The unit's lanes are those that name it, in whatever stream: what is known of its bindings decides nothing here.
 * I7. The next lane of a stream names the last one as its predecessor and opens no lower than where that one ended.
 */
import type { LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import { epoch as toEpoch, invariant } from "@greco/domain/model";
import { firstAtEpoch } from "@greco/lane-kit";
import type { Checkpoint, LaneRecord, LaneStore } from "@greco/ports";
import { BelowRetentionError } from "@greco/ports";
import type { Position } from "./durable-position.ts";
import type { LaneListing, ListedLanes } from "./lane-listing.ts";

/** The last lane of a unit in a stream: the predecessor of the next one. */
export type Tip = {
  readonly lane: LaneId;
  /** Where it ended, and every lane that is read together with it. */
  readonly epoch: Epoch;
};

export type Recovered = {
  readonly start: Position;
  readonly tips: ReadonlyMap<EntityIdentity, Tip>;
  /** Nobody has worked on it before. */
  readonly isNew: boolean;
};

/** A lane of a unit, as it stands below its end. */
export type UnitLane = {
  readonly record: LaneRecord;
  readonly end: Seq;
  /** Of its last row; 0: it has none. */
  readonly epoch: Epoch;
  /** The input position of its last row that names one; 0: none. */
  readonly source: Seq;
};

export type RecoverySources = {
  readonly laneStore: LaneStore;
  readonly model: ModelId;
  readonly listing: LaneListing;
};

/** Rows looked at backwards for the last that names an input; those behind it are inserted markers. */
const LOOK_BACK = [8, 64, 512, 4_096] as const;

/** Up to where everything is done: the furthest of what stands in the lanes and of the checkpoints that count. */
export function resumeAfter(checkpoints: readonly Checkpoint[], lanes: readonly UnitLane[]): Seq {
  const ends = new Map(lanes.map(({ record, end }) => [record.info.id, end]));
  let furthest = seq(0);
  for (const { source } of lanes) if (source > furthest) furthest = source;
  for (const { inputSeq, outputs } of checkpoints) {
    // I8: a zombie's checkpoint names rows that came too late for the seal.
    const counts = outputs.every((output) => output.seq <= (ends.get(output.lane) ?? 0));
    if (counts && inputSeq > furthest) furthest = inputSeq;
  }
  return furthest;
}

/** The last lane of a chain: the one that no other names. Where late registrations forked it, the one that went furthest. */
export function tipOf(lanes: readonly UnitLane[]): UnitLane | undefined {
  const named = new Set(lanes.map(({ record }) => record.info.predecessor));
  return lanes
    .filter(({ record }) => !named.has(record.info.id))
    .toSorted(
      (a, b) => a.source - b.source || a.epoch - b.epoch || (a.record.info.id < b.record.info.id ? -1 : 1),
    )
    .at(-1);
}

async function unitLane(
  { laneStore, model }: RecoverySources,
  record: LaneRecord,
  signal: AbortSignal,
): Promise<UnitLane> {
  const { info, state } = record;
  const { end } = state;
  if (end === undefined) throw new UnsealedError(info.id);
  if (end === 0) return { record, end, epoch: toEpoch(0), source: seq(0) };
  for (const limit of LOOK_BACK) {
    const rows = await laneStore.readBackwards(model, info.id, end, limit, signal);
    const epoch = rows[0]?.epoch ?? toEpoch(0);
    const last = rows.find((row) => row.source?.lane === info.derived?.inputLane);
    if (last?.source !== undefined) return { record, end, epoch, source: last.source.seq };
    if (rows.length < limit) return { record, end, epoch, source: seq(0) };
  }
  // Thousands of inserted markers and nothing else: the checkpoint, or the lane before, says more.
  const [row] = await laneStore.readBackwards(model, info.id, end, 1, signal);
  return { record, end, epoch: row?.epoch ?? toEpoch(0), source: seq(0) };
}

/** A lane of the unit has no end yet: its writer must be sealed first. */
export class UnsealedError extends Error {
  override name = "UnsealedError";
  readonly lane: LaneId;
  constructor(lane: LaneId) {
    super(`lane ${lane} has no end yet: it must be sealed before its unit is taken over`);
    this.lane = lane;
  }
}

/**
 * Where the unit goes on. `since`: the first epoch at which the query reads the stream; a new one begins at that
 * marker, and at the beginning in a lane that was opened later.
 */
export async function recover(
  sources: RecoverySources,
  query: EntityIdentity,
  input: LaneRecord,
  since: Epoch,
  signal: AbortSignal,
): Promise<Recovered> {
  const { laneStore, model, listing } = sources;
  const { id } = input.info;
  const listed = await listing.lanes();
  // All of them must have their ends: those who wrote them have been sealed, or have ended them.
  const lanes = await Promise.all(listed.ofUnit(query, id).map((each) => unitLane(sources, each, signal)));
  const checkpoints = await laneStore.readCheckpoints(model, query, id, signal);
  const after = resumeAfter(checkpoints, lanes);
  const isNew = after === 0;
  const start = isNew
    ? await beginning(sources, input, since, signal)
    : await positionAt(sources, input, after, checkpoints, signal);
  const tips = await withInherited(tipsOf(lanes), sources, listed, query, input, signal);
  return { start, tips, isNew };
}

/**
 * In each stream the tip of the chain. The epoch of the whole chain counts: a late registration may have ended before
 * it got as far as its predecessor.
 */
function tipsOf(lanes: readonly UnitLane[]): ReadonlyMap<EntityIdentity, Tip> {
  const tips = new Map<EntityIdentity, Tip>();
  for (const [stream, chain] of Map.groupBy(lanes, ({ record }) => record.info.stream)) {
    const tip = tipOf(chain);
    if (tip === undefined) continue;
    tips.set(stream, {
      lane: tip.record.info.id,
      epoch: toEpoch(Math.max(...chain.map((each) => each.epoch))),
    });
  }
  return tips;
}

/**
 * The unit's first lane in a stream continues those of the same query on the lanes that its input continues, so that
 * the order of keys holds from hop to hop: the nearest of them in each stream.
 */
async function withInherited(
  own: ReadonlyMap<EntityIdentity, Tip>,
  sources: RecoverySources,
  listed: ListedLanes,
  query: EntityIdentity,
  input: LaneRecord,
  signal: AbortSignal,
): Promise<ReadonlyMap<EntityIdentity, Tip>> {
  const tips = new Map(own);
  // The chain is as long as there were restarts; each step goes one lane back.
  for (let before = listed.before(input); before[0] !== undefined; before = listed.before(before[0])) {
    const found: (readonly [EntityIdentity, Tip])[] = [];
    for (const { info } of before) {
      const wanted = listed.ofUnit(query, info.id).filter((lane) => !tips.has(lane.info.stream));
      found.push(...tipsOf(await Promise.all(wanted.map((lane) => unitLane(sources, lane, signal)))));
    }
    for (const [stream, nearest] of Map.groupBy(found, ([each]) => each)) {
      const epoch = toEpoch(Math.max(...nearest.map(([, tip]) => tip.epoch)));
      const [first] = nearest;
      if (first !== undefined) tips.set(stream, { lane: first[1].lane, epoch });
    }
  }
  return tips;
}

/** Before the first row of the first epoch at which the query reads the stream. */
async function beginning(
  { laneStore, model }: RecoverySources,
  { info, state }: LaneRecord,
  since: Epoch,
  signal: AbortSignal,
): Promise<Position> {
  const from = state.firstRetained;
  const to = state.end ?? (await laneStore.tail(model, info.id, signal));
  const place = { laneStore, model, lane: info.id };
  const first = to < from ? undefined : await firstAtEpoch(place, from, to, since, signal);
  const before = seq((first?.seq ?? Math.max(to + 1, from)) - 1);
  if (before < from) return { seq: before, epoch: toEpoch(0) };
  const [row] = (await laneStore.read(model, info.id, before, 1, signal)).entries;
  invariant(row !== undefined, "a row below the tail stays");
  return { seq: before, epoch: row.epoch };
}

async function positionAt(
  { laneStore, model }: RecoverySources,
  { info }: LaneRecord,
  at: Seq,
  checkpoints: readonly Checkpoint[],
  signal: AbortSignal,
): Promise<Position> {
  try {
    const [row] = (await laneStore.read(model, info.id, at, 1, signal)).entries;
    if (row !== undefined) return { seq: at, epoch: row.epoch };
  } catch (error) {
    if (!(error instanceof BelowRetentionError)) throw error;
  }
  // The row is not retained any more. A lower epoch is safe: nothing is inserted before its turn.
  const known = checkpoints.find((checkpoint) => checkpoint.inputSeq === at);
  return { seq: at, epoch: known?.inputEpoch ?? toEpoch(0) };
}
