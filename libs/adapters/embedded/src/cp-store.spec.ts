import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompactedError } from "@greco/ports";
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
