/** Leases: their keys live as long as they are kept. */
import { expect } from "vitest";
import { type CpStore, LeaseGoneError } from "../cp-store.ts";
import { deleteOf, eventsUpTo, keysOf, putOf, readOne, revisionNow, transact } from "./cp-store.helpers.ts";
import { keyOf, revisionOf } from "./cp-store-model.ts";
import { type Harness, noAbort, rejection, type Setup, tester } from "./harness.ts";

const TTL_MS = 2_000;
/** How much later than its time a lease may lapse. */
const SLACK_MS = 3_000;

/** Lets a lease's time pass, and waits until its key is deleted. */
async function lapsed(store: CpStore, harness: Harness<CpStore>, key: string): Promise<void> {
  const before = await revisionNow(store);
  const gone = eventsUpTo(store, { key }, before, before + 1);
  // On a real engine the time may pass faster than it is allowed to.
  await Promise.race([gone, harness.pass(TTL_MS + SLACK_MS)]);
  expect((await gone).map((event) => event.type)).toEqual(["delete"]);
}

export function leaseTests(setup: Setup<CpStore>): void {
  const test = tester(setup);

  test("deletes a lease's keys in one revision when it lapses", async (store, harness) => {
    const lease = await store.grantLease(TTL_MS, noAbort);
    await transact(store, putOf("a", "", lease), putOf("b", "", lease), putOf("c"));
    expect((await readOne(store, "a"))?.lease).toBe(lease);
    const before = await revisionNow(store);
    await lapsed(store, harness, "a");
    expect(await keysOf(store)).toEqual(["c"]);
    const events = await eventsUpTo(store, { prefix: "" }, before, before + 1);
    expect(events.map((event) => [event.type, keyOf(event), revisionOf(event)])).toEqual([
      ["delete", "a", before + 1],
      ["delete", "b", before + 1],
    ]);
    await rejection(store.keepLease(lease, noAbort), LeaseGoneError);
  });

  test("lives while it is kept, whatever the time", async (store, harness) => {
    const lease = await store.grantLease(TTL_MS, noAbort);
    await transact(store, putOf("a", "", lease));
    for (let turn = 0; turn < 6; turn++) {
      await harness.pass(TTL_MS / 2);
      await store.keepLease(lease, noAbort);
    }
    expect(await keysOf(store)).toEqual(["a"]);
    await lapsed(store, harness, "a");
  });

  test("may be kept and is seen through another handle", async (store, harness) => {
    await using other = await harness.open();
    const lease = await store.grantLease(TTL_MS, noAbort);
    await transact(other, putOf("a", "", lease));
    for (let turn = 0; turn < 6; turn++) {
      await harness.pass(TTL_MS / 2);
      await other.keepLease(lease, noAbort);
    }
    expect(await keysOf(store)).toEqual(["a"]);
    await lapsed(store, harness, "a");
  });

  test("lapses though the handle that granted it is closed, and one opened later finds it", async (store, harness) => {
    const granting = await harness.open();
    const lease = await granting.grantLease(TTL_MS, noAbort);
    await transact(granting, putOf("a", "", lease));
    await granting[Symbol.asyncDispose]();
    await using again = await harness.open();
    expect(await keysOf(again)).toEqual(["a"]);
    await lapsed(again, harness, "a");
    await rejection(store.keepLease(lease, noAbort), LeaseGoneError);
  });

  test("is revoked with its keys, at once", async (store) => {
    const lease = await store.grantLease(TTL_MS, noAbort);
    await transact(store, putOf("a", "", lease), putOf("b"));
    await store.revokeLease(lease, noAbort);
    expect(await keysOf(store)).toEqual(["b"]);
    await rejection(store.keepLease(lease, noAbort), LeaseGoneError);
  });

  test("I2: fences who has lost its lease by the revision that created the lease's key", async (store, harness) => {
    await using other = await harness.open();
    const lead = async (handle: CpStore): Promise<{ lease: string; created: number }> => {
      const lease = await handle.grantLease(TTL_MS, noAbort);
      const free = { key: "driver", target: "createRevision", is: "=", value: 0 } as const;
      const then = [putOf("driver", "", lease)];
      const { succeeded, revision } = await handle.transact({ compare: [free], then }, noAbort);
      expect(succeeded).toBe(true);
      return { lease, created: revision };
    };
    const write = async (handle: CpStore, value: number): Promise<boolean> => {
      const leading = { key: "driver", target: "createRevision", is: "=", value } as const;
      return (await handle.transact({ compare: [leading], then: [putOf("work", String(value))] }, noAbort))
        .succeeded;
    };
    const first = await lead(store);
    // What is kept, or put again under the lease, is the same key.
    await store.keepLease(first.lease, noAbort);
    await transact(store, putOf("driver", "again", first.lease));
    expect(await write(store, first.created)).toBe(true);
    await other.revokeLease(first.lease, noAbort);
    expect(await write(store, first.created)).toBe(false);
    const second = await lead(other);
    expect([await write(store, first.created), await write(other, second.created)]).toEqual([false, true]);
  });

  test("I15: refuses a put under a lease that is gone, and changes nothing", async (store) => {
    const lease = await store.grantLease(TTL_MS, noAbort);
    await store.revokeLease(lease, noAbort);
    const start = await revisionNow(store);
    await rejection(transact(store, putOf("a"), putOf("b", "", lease)), LeaseGoneError);
    expect([await keysOf(store), await revisionNow(store)]).toEqual([[], start]);
  });

  test("lets go of a key that is put without it, or deleted", async (store) => {
    const lease = await store.grantLease(TTL_MS, noAbort);
    const other = await store.grantLease(TTL_MS, noAbort);
    await transact(store, putOf("a", "", lease), putOf("b", "", lease), putOf("c", "", lease));
    await transact(store, putOf("a"), putOf("b", "", other));
    await transact(store, deleteOf({ key: "c" }));
    await transact(store, putOf("c"));
    await store.revokeLease(lease, noAbort);
    expect(await keysOf(store)).toEqual(["a", "b", "c"]);
    expect((await readOne(store, "a"))?.lease).toBeUndefined();
    expect((await readOne(store, "b"))?.lease).toBe(other);
  });
}
