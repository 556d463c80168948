import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, CompactedError } from "@greco/ports";
import { cpStoreContract } from "@greco/ports/testing";
import { simulatedClock } from "@greco/simulation";
import { expect, it } from "vitest";
import { openEmbeddedCpStore } from "./cp-store.ts";
import { embeddedSetup } from "./testing/setup.ts";

cpStoreContract("embedded", embeddedSetup(simulatedClock, openEmbeddedCpStore));

const signal = new AbortController().signal;

it("forgets history by itself beyond what it was told to keep, and never what stands", async () => {
  const folder = await mkdtemp(join(tmpdir(), "greco-embedded-"));
  const options = { path: join(folder, "cp.db"), clock: simulatedClock(), historyRevisions: 20 };
  const store = await openEmbeddedCpStore(options, signal);
  const value = new Uint8Array();
  let revision = 0;
  for (let turn = 0; turn < 100; turn++) {
    const then = [{ type: "put", key: `k/${turn % 10}`, value }] as const;
    ({ revision } = await store.transact({ compare: [], then }, signal));
  }
  await store[Symbol.asyncDispose]();
  await using again = await openEmbeddedCpStore(options, signal);
  const at = (from: number) => again.range({ prefix: "k/" }, { revision: from }, signal);
  await expect(at(revision - 30)).rejects.toBeInstanceOf(CompactedError);
  expect((await at(revision - 19)).entries.length).toBe(10);
  await rm(folder, { recursive: true, force: true });
});

it("does not end a lease that was kept between its look and its write", async () => {
  const folder = await mkdtemp(join(tmpdir(), "greco-embedded-"));
  let now = 0;
  const sleepers = new Set<() => void>();
  const clock: Clock = {
    nowMs: () => now,
    monotonicMs: () => now,
    sleep: (_ms, stop) =>
      new Promise((resolve) => {
        sleepers.add(resolve);
        stop.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
  const path = join(folder, "cp.db");
  const ending = await openEmbeddedCpStore({ path, clock }, signal);
  const keeping = await openEmbeddedCpStore({ path, clock: simulatedClock() }, signal);
  const lease = await ending.grantLease(1_000, signal);
  const value = new Uint8Array();
  await ending.transact({ compare: [], then: [{ type: "put", key: "driver", value, lease }] }, signal);
  while (sleepers.size === 0) await new Promise((resolve) => setImmediate(resolve));
  // Queued before the other one looks, and committed before that one's write.
  now = 1_001;
  const kept = keeping.keepLease(lease, signal);
  for (const wake of sleepers) wake();
  await kept;
  // Behind whatever the other one has queued.
  await ending.transact({ compare: [], then: [] }, signal);
  const { entries } = await keeping.range({ key: "driver" }, {}, signal);
  expect(entries.length).toBe(1);
  await ending[Symbol.asyncDispose]();
  await keeping[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
