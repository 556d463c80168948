import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedCpStore } from "@greco/adapter-embedded";
import { keys } from "@greco/control-kit";
import type { CpStore, Operation } from "@greco/ports";
import { systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { Fence } from "./fence.ts";

const { signal } = new AbortController();
const value = new Uint8Array([1]);
const put = (key: string): Operation => ({ type: "put", key, value });
const remove = (key: string): Operation => ({ type: "delete", range: { key } });

let dir: string;
let store: CpStore;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "greco-fence-"));
  store = await openEmbeddedCpStore({ path: join(dir, "control.sqlite"), clock: systemClock }, signal);
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  const all = { type: "delete", range: { prefix: "" } } as const;
  await store.transact({ compare: [], then: [all] }, signal);
});

const write = async (on: CpStore, ...then: Operation[]): Promise<boolean> =>
  (await on.transact({ compare: [], then }, signal)).succeeded;
const takeLead = async (): Promise<number> => {
  await write(store, remove(keys.driver()));
  return (await store.transact({ compare: [], then: [put(keys.driver())] }, signal)).revision;
};
const has = async (key: string): Promise<boolean> =>
  (await store.range({ key }, {}, signal)).entries.length > 0;

it("I2: lets the driver write while it leads, and nothing once another has taken the lead", async () => {
  const fence = new Fence();
  const fenced = fence.around(store);
  const lost: string[] = [];
  const created = await takeLead();
  await fence.during(
    created,
    (why) => lost.push(why.message),
    async () => {
      // Put again under the lease: the same key still.
      await write(store, put(keys.driver()));
      expect([await write(fenced, put("a")), await has("a")]).toEqual([true, true]);
      // A comparison of the write's own that fails is no loss of the lead.
      const compare = [{ key: "a", target: "version", is: "=", value: 7 }] as const;
      expect((await fenced.transact({ compare, then: [put("b")] }, signal)).succeeded).toBe(false);
      expect(lost).toEqual([]);
      await takeLead();
      expect([await write(fenced, put("b")), await has("b")]).toEqual([false, false]);
      expect(lost).toEqual(["another replica leads, or the key of the lease is gone"]);
    },
  );
});

it("I2: lets nobody write who does not lead, and reads as before", async () => {
  const fenced = new Fence().around(store);
  expect(await write(fenced, put("a"))).toBe(false);
  await write(store, put("a"));
  const read = await fenced.transact({ compare: [], then: [{ type: "get", range: { key: "a" } }] }, signal);
  expect([read.succeeded, read.responses[0]?.length]).toEqual([true, 1]);
});
