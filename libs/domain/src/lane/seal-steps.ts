/**
 * Sealing a writer (R2), as a pure machine: watch the lease for twice the lease; swap it to closing on the integer as
 * seen; wait twice the lease, so that whatever the writer still believes is over; read the tails; set the ends. Any
 * number of sealers at once, each may stop at any point, and anyone may carry on: each counts its own waiting.
 */
import type { WriterLease } from "./entry.ts";
import type { LeaseView } from "./lease-view.ts";
import { leaseSeen, viewLapsesMs } from "./lease-view.ts";

export type SealState =
  | { readonly phase: "watching"; readonly view: LeaseView }
  | { readonly phase: "waiting"; readonly view: LeaseView }
  | { readonly phase: "ending" }
  | { readonly phase: "alive" };

export type SealStep = {
  readonly state: SealState;
  readonly next:
    /** Read the lease again at this time of the monotonic clock, at the latest. */
    | { readonly type: "look"; readonly atMs: number }
    /** Swap held → closing on this count; feed what stands back in. */
    | { readonly type: "close"; readonly count: number }
    /** Read the tails of all lanes of the writer, set each end that is not set, then finish the lease. */
    | { readonly type: "end-lanes" }
    /** It was renewed: leave it alone. */
    | { readonly type: "leave" };
};

/** `lease`: what a read or a swap showed; `nowMs`: after its answer. */
export function sealStep(
  state: SealState | undefined,
  lease: WriterLease | undefined,
  nowMs: number,
  leaseMs: number,
): SealStep {
  if (state?.phase === "alive") return { state, next: { type: "leave" } };
  if (state?.phase === "ending") return { state, next: { type: "end-lanes" } };
  const view = leaseSeen(state?.view, lease, nowMs);
  // It was closed by a sealer who had waited, or by the writer itself: nothing is acknowledged any more.
  if (view.state === "closed") return { state: { phase: "ending" }, next: { type: "end-lanes" } };
  if (view.state === "held") {
    const renewed = state !== undefined && view !== state.view;
    if (renewed) return { state: { phase: "alive" }, next: { type: "leave" } };
    const atMs = viewLapsesMs(view, leaseMs);
    const watching: SealState = { phase: "watching", view };
    if (nowMs < atMs) return { state: watching, next: { type: "look", atMs } };
    return { state: watching, next: { type: "close", count: view.count } };
  }
  // Closing (or no lease at all): R2, wait twice the lease before the tails are read.
  const waiting: SealState = { phase: "waiting", view };
  const atMs = viewLapsesMs(view, leaseMs);
  if (nowMs < atMs) return { state: waiting, next: { type: "look", atMs } };
  return { state: { phase: "ending" }, next: { type: "end-lanes" } };
}
