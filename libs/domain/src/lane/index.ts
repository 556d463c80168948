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
