/** A lane store behind a bad network. Appends, ends and what only grows may come twice and late, as they may on Cassandra. */
import type { Clock, LaneStore } from "@greco/ports";
import {
  type CallKind,
  createNetwork,
  type FaultControl,
  type StoreFaults,
  throughNetwork,
} from "./faulty-store.ts";
import type { Random } from "./random.ts";

const KINDS = {
  registerLane: "repeatable",
  getLane: "read",
  listLanes: "read",
  finishLane: "repeatable",
  append: "repeatable",
  read: "read",
  tail: "read",
  readBackwards: "read",
  requestClose: "repeatable",
  endLane: "repeatable",
  trim: "repeatable",
  createLease: "repeatable",
  readLease: "read",
  renewLease: "write",
  closeLease: "repeatable",
  finishLease: "repeatable",
  lanesOfWriter: "read",
  appendLedger: "repeatable",
  readLedger: "read",
  listModels: "read",
  raiseFloor: "repeatable",
  readFloor: "read",
  putCheckpoint: "write",
  readCheckpoints: "read",
  claim: "write",
  listClaims: "read",
  heartbeat: "write",
  leave: "write",
  listMembers: "read",
  putDeadLetterOrder: "repeatable",
  listDeadLetterOrders: "read",
  recordCrossing: "repeatable",
  readCrossing: "read",
} as const satisfies Record<Exclude<keyof LaneStore, typeof Symbol.asyncDispose>, CallKind>;

/** The clock counts `delayMs`. The store is disposed by who opened it, or through this. */
export function faultyLaneStore(
  store: LaneStore,
  random: Random,
  faults: StoreFaults & { readonly clock: Clock },
): LaneStore & FaultControl {
  return throughNetwork(store, KINDS, createNetwork(random, faults.clock, faults));
}
