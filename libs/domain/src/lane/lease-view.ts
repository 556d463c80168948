/**
 * What an observer knows of another's lease (R2): it counts from the last change that it saw, on its own monotonic
 * clock, and never from anything the writer says about time.
 */
import type { WriterLease } from "./entry.ts";
import { SEAL_LEASES } from "./lease.ts";

export type LeaseView = {
  readonly state: WriterLease["state"] | "absent";
  readonly count: number;
  /** When this observer first saw this count and state. */
  readonly sinceMs: number;
};

/** `nowMs` must be read after the store's answer: a view may be too young, never too old. */
export function leaseSeen(
  view: LeaseView | undefined,
  lease: WriterLease | undefined,
  nowMs: number,
): LeaseView {
  const state = lease?.state ?? "absent";
  const count = lease?.count ?? 0;
  return view?.state === state && view.count === count ? view : { state, count, sinceMs: nowMs };
}

/** When the view lapses, if nothing changes. */
export function viewLapsesMs(view: LeaseView, leaseMs: number): number {
  return view.sinceMs + SEAL_LEASES * leaseMs;
}
