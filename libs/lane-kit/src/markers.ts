/** Where each epoch begins in a lane, found by halving: epochs in a lane only grow (I7), and every row carries its own. */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { Epoch, ModelId } from "@greco/domain/model";
import type { LaneStore } from "@greco/ports";

export type LaneMarker = { readonly epoch: Epoch; readonly seq: Seq };

type Place = { readonly laneStore: LaneStore; readonly model: ModelId; readonly lane: LaneId };

async function rowAt(
  { laneStore, model, lane }: Place,
  at: number,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  return (await laneStore.read(model, lane, seq(at), 1, signal)).entries[0];
}

/** The first row from `from` to `to` whose epoch is at least `epoch`; undefined: none. */
export async function firstAtEpoch(
  place: Place,
  from: Seq,
  to: Seq,
  epoch: Epoch,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  let low: number = from;
  let high = to + 1;
  let found: Entry | undefined;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = await rowAt(place, middle, signal);
    if (row !== undefined && row.epoch < epoch) low = middle + 1;
    else {
      found = row ?? found;
      high = middle;
    }
  }
  return found;
}

/** Every epoch that begins from `from` to `to`, in order. */
export async function findMarkers(
  place: Place,
  from: Seq,
  to: Seq,
  signal: AbortSignal,
): Promise<LaneMarker[]> {
  const markers: LaneMarker[] = [];
  for (let row = await rowAt(place, from, signal); row !== undefined && row.seq <= to;) {
    if (row.kind === "marker") markers.push({ epoch: row.epoch, seq: row.seq });
    row = await firstAtEpoch(place, seq(row.seq + 1), to, (row.epoch + 1) as Epoch, signal);
  }
  return markers;
}
