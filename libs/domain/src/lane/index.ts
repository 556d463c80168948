export { laneId, seq, writerId } from "./entry.ts";
export type {
  DataEntry,
  Entry,
  EntrySource,
  LaneId,
  LaneInfo,
  LaneState,
  MarkerEntry,
  Seq,
  WriterId,
  WriterLease,
} from "./entry.ts";
export { dueFromLedger, dueMarkers } from "./marker-order.ts";
export type { MarkersDue } from "./marker-order.ts";
