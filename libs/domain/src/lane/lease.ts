/**
 * A writer's own view of its lease (R2). Counted from the *sending* of a renewal on the writer's monotonic clock, with a
 * margin given up for drift; a lapsed one is never renewed. What observers see is in lease-view.ts.
 */
import { invariant } from "../model/invariant.ts";
import type { WriterLease } from "./entry.ts";

export type LeaseTiming = {
  readonly leaseMs: number;
  /** Given up for the drift between this clock and the observers'. */
  readonly marginMs: number;
};

/** Observers wait this many leases before they close, and again before they read the tails. */
export const SEAL_LEASES = 2;

export type Lease =
  | {
      readonly phase: "held";
      readonly count: number;
      readonly holdsUntilMs: number;
      /** When the renewal that is under way was sent. */
      readonly renewalSentMs?: number;
    }
  | { readonly phase: "lost"; readonly why: string };

/** `sentMs`: when the creation was sent, not when it was answered. */
export function leaseCreated(lease: WriterLease, sentMs: number, timing: LeaseTiming): Lease {
  return { phase: "held", count: lease.count, holdsUntilMs: holdsUntil(sentMs, timing) };
}

// R2: from the sending, because the store may have applied it at any moment after that, and observers count from there.
const holdsUntil = (sentMs: number, { leaseMs, marginMs }: LeaseTiming): number =>
  sentMs + leaseMs - marginMs;

/** Whether an acknowledgement may be given now. */
export function leaseHolds(lease: Lease, nowMs: number): boolean {
  return lease.phase === "held" && nowMs < lease.holdsUntilMs;
}

/** Lost once it has lapsed and no renewal that is under way can still prolong it. */
export function leaseChecked(lease: Lease, nowMs: number, timing: LeaseTiming): Lease {
  if (lease.phase === "lost") return lease;
  return nowMs < lapsesMs(lease, timing) ? lease : { phase: "lost", why: "the lease has lapsed" };
}

/** When `leaseChecked` will say lost, if nothing comes. */
export function lapsesMs(lease: Lease & { phase: "held" }, timing: LeaseTiming): number {
  if (lease.renewalSentMs === undefined) return lease.holdsUntilMs;
  return Math.max(lease.holdsUntilMs, holdsUntil(lease.renewalSentMs, timing));
}

/** A renewal is about to be sent. R2: a lapsed lease is never renewed, it is lost. */
export function renewalSent(lease: Lease, nowMs: number): Lease {
  if (lease.phase === "lost") return lease;
  invariant(lease.renewalSentMs === undefined, "R2: one renewal at a time");
  if (!leaseHolds(lease, nowMs)) return { phase: "lost", why: "the lease has lapsed" };
  return { ...lease, renewalSentMs: nowMs };
}

/** The store has swapped it. */
export function renewalDone(lease: Lease, renewed: WriterLease, timing: LeaseTiming): Lease {
  if (lease.phase === "lost" || lease.renewalSentMs === undefined) return lease;
  const until = Math.max(lease.holdsUntilMs, holdsUntil(lease.renewalSentMs, timing));
  return { phase: "held", count: renewed.count, holdsUntilMs: until };
}

/**
 * Its outcome is unknown, or it was refused; `read` is what stands now. Nobody but the writer renews, so if it is held,
 * the count is ours, whichever of our renewals made it; but it is not prolonged by it.
 */
export function renewalReadBack(lease: Lease, read: WriterLease | undefined): Lease {
  if (lease.phase === "lost") return lease;
  if (read?.state !== "held")
    return { phase: "lost", why: `somebody seals it (${read?.state ?? "no lease"})` };
  return { phase: "held", count: read.count, holdsUntilMs: lease.holdsUntilMs };
}
