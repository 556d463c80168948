/** Sealing a dead writer's lanes (R2). Any number of sealers at once. */
import type { WriterId } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import type { Clock, LaneStore, Log, Wake } from "@greco/ports";

export type SealOptions = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: ModelId;
  readonly leaseMs: number;
};

/**
 * Watches the writer's lease for twice the lease; when it changes: "alive", nothing was done. Otherwise it swaps it to
 * closing on the integer as seen, waits twice the lease, reads the tails strongly, sets each lane's end and closes the
 * lease: "sealed". A writer that is closing or closed already is carried on from there. Takes up to four leases.
 */
export type SealWriter = (
  options: SealOptions,
  writer: WriterId,
  signal: AbortSignal,
) => Promise<"sealed" | "alive">;

/** Runs until the signal aborts: seals every writer of the model whose lease lapses while a lane of it has no end. */
export type SealLapsedWriters = (options: SealOptions, signal: AbortSignal) => Promise<void>;
