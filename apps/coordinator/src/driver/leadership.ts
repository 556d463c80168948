/**
 * Which replica drives: a key under a lease. It saves work, and nothing more: two that drive at once do no harm
 * (I2), because every decision is a compare-and-swap. Besides, what a driver writes is fenced by that key (fence.ts).
 */
import { keys } from "@greco/control-kit";
import type { LeaseId } from "@greco/ports";
import { pauseMs } from "../backoff.ts";
import { toBytes } from "../json.ts";
import type { Parts } from "../parts.ts";
import type { Fence } from "./fence.ts";

type LeadershipParts = Pick<Parts, "store" | "clock" | "ids" | "log" | "limits">;

/** Until the signal aborts: gets the lead, leads until it is lost, and tries again. */
export async function runLeadership(
  parts: LeadershipParts,
  replica: string,
  fence: Fence,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { log, clock, ids, limits } = parts;
  const pauses = { minMs: limits.backoffMinMs, maxMs: limits.backoffMaxMs };
  for (let failures = 0; !signal.aborted;) {
    try {
      const won = await campaign(parts, replica, signal);
      failures = 0;
      log.info("coordinator.driving", { replica });
      await holding(parts, won, fence, lead, signal);
      log.info("coordinator.not-driving", { replica });
    } catch (error) {
      if (signal.aborted) return;
      log.warn("coordinator.lead.failed", { replica, error });
      failures += 1;
    }
    await clock.sleep(pauseMs(pauses, failures, ids), signal).catch(() => undefined);
  }
}

type Won = {
  readonly lease: LeaseId;
  /** The revision that created its key. */ readonly created: number;
};

/** Waits until nobody else has it. */
async function campaign(
  { store, limits }: LeadershipParts,
  replica: string,
  signal: AbortSignal,
): Promise<Won> {
  const key = keys.driver();
  for (;;) {
    const lease = await store.grantLease(limits.driverLeaseMs, signal);
    const { succeeded, revision } = await store.transact(
      {
        compare: [{ key, target: "createRevision", is: "=", value: 0 }],
        then: [{ type: "put", key, value: toBytes({ replica }), lease }],
      },
      signal,
    );
    if (succeeded) return { lease, created: revision };
    await store.revokeLease(lease, signal);
    for await (const { events } of store.watch({ key }, revision, signal))
      if (events.some((event) => event.type === "delete")) break;
  }
}

/** Leads while the lease is kept; gives it back at the end, so that another need not wait it out. */
async function holding(
  { store, clock, limits }: LeadershipParts,
  { lease, created }: Won,
  fence: Fence,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const lost = new AbortController();
  const scope = AbortSignal.any([signal, lost.signal]);
  const keeping = keep();
  try {
    await fence.during(
      created,
      (why) => lost.abort(why),
      () => lead(scope),
    );
  } finally {
    lost.abort(new Error("the driver's lease is given up"));
    await keeping;
    await giveBack();
  }

  /** If the store does not answer, the lease lapses by itself. */
  async function giveBack(): Promise<void> {
    const ending = new AbortController();
    const revoked = store.revokeLease(lease, ending.signal).catch(() => undefined);
    await Promise.race([revoked, clock.sleep(limits.driverLeaseMs, ending.signal).catch(() => undefined)]);
    ending.abort(new Error("enough waited"));
  }

  async function keep(): Promise<void> {
    let keptAtMs = clock.monotonicMs();
    while (!scope.aborted) {
      try {
        await clock.sleep(limits.driverLeaseMs / 4, scope);
        const sentAtMs = clock.monotonicMs();
        await store.keepLease(lease, scope);
        keptAtMs = sentAtMs;
      } catch (error) {
        if (scope.aborted) return;
        const gone = error instanceof Error && error.name === "LeaseGoneError";
        if (gone || clock.monotonicMs() - keptAtMs > limits.driverLeaseMs) lost.abort(error);
      }
    }
  }
}
