export { AppendWindow } from "./append-window.ts";
export type { Flight, NewData, Ticket } from "./append-window.ts";
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
export {
  lapsesMs,
  leaseChecked,
  leaseCreated,
  leaseHolds,
  renewalDone,
  renewalReadBack,
  renewalSent,
  SEAL_LEASES,
} from "./lease.ts";
export type { Lease, LeaseTiming } from "./lease.ts";
export { leaseSeen, viewLapsesMs } from "./lease-view.ts";
export type { LeaseView } from "./lease-view.ts";
export { dueFromLedger, dueMarkers } from "./marker-order.ts";
export type { MarkersDue } from "./marker-order.ts";
export { countable } from "./reader-rule.ts";
export type { Countable } from "./reader-rule.ts";
export { sealStep } from "./seal-steps.ts";
export type { SealState, SealStep } from "./seal-steps.ts";
