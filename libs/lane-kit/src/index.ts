export { BindingMissingError, createBindingReader, sha256 } from "./binding-reader.ts";
export type { BindingReader, BindingReaderOptions } from "./binding-reader.ts";
export { LaneEndedError, LaneLostError } from "./errors.ts";
export { followLanes } from "./lane-directory.ts";
export type { LaneDirectory, LaneDirectoryOptions } from "./lane-directory.ts";
export { readLane } from "./lane-reader.ts";
export type { LaneBatch, ReadLaneOptions } from "./lane-reader.ts";
export { bytesOf } from "./open-lane.ts";
export { openLaneWriter } from "./lane-writer.ts";
export { followLedger } from "./ledger-follower.ts";
export type { LedgerFollower, LedgerFollowerOptions } from "./ledger-follower.ts";
export { findMarkers, firstAtEpoch } from "./markers.ts";
export type { LaneMarker } from "./markers.ts";
export { hasCrossed, listCrossings, progressOf, readersOf } from "./progress.ts";
export type { LaneCrossing, LaneProgress, ProgressSources, StreamReader } from "./progress.ts";
export { sealLapsedWriters, sealWriter } from "./seal.ts";
export type { SealOptions } from "./seal.ts";
export { Backoff, Hint, isPassing, persist } from "./waiting.ts";
export type {
  Appended,
  LaneWriter,
  LaneWriterLimits,
  LaneWriterOptions,
  NewEntry,
  OpenLane,
  OpenLaneRequest,
} from "./writer.ts";
export { snapshotStart } from "./snapshot-start.ts";
export type { SnapshotStartOptions } from "./snapshot-start.ts";
