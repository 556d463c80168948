/** A prefix of its own for each test, and time that really passes. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, CpStore, LeaseId, Log } from "@greco/ports";
import type { Setup } from "@greco/ports/testing";
import { type EtcdOptions, openEtcdCpStore } from "../cp-store.ts";

export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    signal.throwIfAborted();
    await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
  },
};

export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quietLog,
};

const noAbort = new AbortController().signal;

/** What a machine that builds and tests beside it may need, so that no write's outcome is unknown but by a fault. */
const PATIENT = { readAttemptMs: 5_000, writeMs: 30_000, giveUpMs: 60_000 };

export function etcdOptions(hosts: readonly string[], over: Partial<EtcdOptions> = {}): EtcdOptions {
  const common = { hosts, prefix: `test/${randomUUID()}/`, clock: realClock, log: quietLog };
  return { ...common, ...over, limits: { ...PATIENT, ...over.limits } };
}

/** `beforeEach`: called for each test, before its first handle is opened. */
export function etcdSetup(
  hosts: () => readonly string[],
  beforeEach: () => Promise<void> = () => Promise.resolve(),
): Setup<CpStore> {
  return async () => {
    await beforeEach();
    const options = etcdOptions(hosts());
    const leases = new Set<LeaseId>();
    return {
      async open() {
        const store = await openEtcdCpStore(options, noAbort);
        const grantLease: CpStore["grantLease"] = async (ttlMs, signal) => {
          const lease = await store.grantLease(ttlMs, signal);
          leases.add(lease);
          return lease;
        };
        return { ...store, grantLease };
      },
      pass: (ms) => sleep(ms),
      // What lapsed later would take a revision of another test's.
      async [Symbol.asyncDispose]() {
        await using store = await openEtcdCpStore(options, noAbort);
        for (const lease of leases) await store.revokeLease(lease, noAbort).catch(() => undefined);
        await store.transact({ compare: [], then: [{ type: "delete", range: { prefix: "" } }] }, noAbort);
      },
    };
  };
}
