/** How lane-kit fails. Everything else that it throws comes from a store, unchanged. */
import type { LaneId, WriterId } from "@greco/domain/lane";

/**
 * The writer's lease is over, or an append was given up: nothing more is acknowledged in this lane, and what was
 * under way has an unknown outcome until the lane is sealed. Open a new writer; readers go on behind the seal (R2).
 */
export class LaneLostError extends Error {
  override name = "LaneLostError";
  readonly writer: WriterId;
  constructor(writer: WriterId, why: string, options?: ErrorOptions) {
    super(`writer ${writer} has lost its lanes: ${why}; open a new writer`, options);
    this.writer = writer;
  }
}

/** The lane has ended (close request, removed stream, graceful stop): nothing of this call was appended. */
export class LaneEndedError extends Error {
  override name = "LaneEndedError";
  readonly lane: LaneId;
  constructor(lane: LaneId) {
    super(`lane ${lane} has ended: nothing was appended, use its successor`);
    this.lane = lane;
  }
}
