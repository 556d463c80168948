/** Where each epoch begins in a lane, found by halving: epochs in a lane only grow (I7), and every row carries its own. */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { Epoch, ModelId } from "@greco/domain/model";
import type { LaneStore } from "@greco/ports";
import { MARKER_SCAN } from "./limits.ts";

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
  const first = from > to ? undefined : await rowAt(place, from, signal);
  if (first === undefined) return [];
  const last = await rowAt(place, to, signal);
  return [...markersAmong([first]), ...(await markersBetween(place, first, last ?? { seq: to }, signal))];
}

/** A row, or where one is not. */
type Bound = { readonly seq: Seq; readonly epoch?: Epoch };

/** Behind `low` and up to `high`. Where both are of one epoch nothing begins between them, however many rows that is. */
async function markersBetween(
  place: Place,
  low: Bound,
  high: Bound,
  signal: AbortSignal,
): Promise<LaneMarker[]> {
  if (low.seq >= high.seq || low.epoch === high.epoch) return [];
  if (high.seq - low.seq <= MARKER_SCAN) return scanned(place, low.seq, high.seq, signal);
  const at = seq(Math.floor((low.seq + high.seq) / 2));
  const middle: Bound = (await rowAt(place, at, signal)) ?? { seq: at };
  const below = await markersBetween(place, low, middle, signal);
  // Nothing stands behind a row that is missing.
  return middle.epoch === undefined
    ? below
    : [...below, ...(await markersBetween(place, middle, high, signal))];
}

/** Row by row: so few that looking for an epoch's first row would be more reads. A read may return less than asked for. */
async function scanned(
  { laneStore, model, lane }: Place,
  after: Seq,
  to: Seq,
  signal: AbortSignal,
): Promise<LaneMarker[]> {
  const markers: LaneMarker[] = [];
  for (let next = after + 1; next <= to;) {
    const { entries } = await laneStore.read(model, lane, seq(next), to - next + 1, signal);
    if (entries.length === 0) break;
    markers.push(...markersAmong(entries));
    next += entries.length;
  }
  return markers;
}

const markersAmong = (entries: readonly Entry[]): LaneMarker[] =>
  entries.filter(({ kind }) => kind === "marker").map((entry) => ({ epoch: entry.epoch, seq: entry.seq }));
