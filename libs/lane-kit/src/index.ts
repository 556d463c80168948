export { BindingMissingError } from "./binding-reader.ts";
export type { BindingReader, BindingReaderOptions } from "./binding-reader.ts";
export { LaneEndedError, LaneLostError } from "./errors.ts";
export type { FollowLanes, LaneDirectory, LaneDirectoryOptions } from "./lane-directory.ts";
export type { LaneBatch, ReadLane, ReadLaneOptions } from "./lane-reader.ts";
export type { FollowLedger, LedgerFollower, LedgerFollowerOptions } from "./ledger-follower.ts";
export type {
  LaneCrossing,
  LaneMarker,
  LaneProgress,
  ListCrossings,
  ProgressOf,
  ProgressSources,
  ReadersOf,
  StreamReader,
} from "./progress.ts";
export type { SealLapsedWriters, SealOptions, SealWriter } from "./seal.ts";
export type {
  Appended,
  LaneWriter,
  LaneWriterLimits,
  LaneWriterOptions,
  NewEntry,
  OpenLane,
  OpenLaneRequest,
  OpenLaneWriter,
} from "./writer.ts";
