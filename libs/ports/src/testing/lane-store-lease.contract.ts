/** Writers' leases (R2): one integer, moved by compare-and-swap only, and lost for ever. */
import type { WriterId } from "@greco/domain/lane";
import { expect } from "vitest";
import { LaneConflictError, type LaneStore } from "../lane-store.ts";
import { noAbort, rejection, type Setup, tester } from "./harness.ts";
import { model, otherModel, writer } from "./lane-store.helpers.ts";

export function leaseTests(setup: Setup<LaneStore>): void {
  const test = tester(setup);

  test("R2: is created held, once, and read as it stands", async (store, harness) => {
    await using other = await harness.open();
    expect(await store.readLease(model, writer, noAbort)).toBeUndefined();
    const created = await store.createLease(model, writer, noAbort);
    expect(created).toMatchObject({ writer, state: "held" });
    expect(await other.readLease(model, writer, noAbort)).toEqual(created);
    expect(await other.readLease(otherModel, writer, noAbort)).toBeUndefined();
    const renewed = await store.renewLease(model, writer, created.count, noAbort);
    // A repeat of the creation whose answer was lost finds what stands.
    expect(await other.createLease(model, writer, noAbort)).toEqual(renewed);
  });

  test("R2: grows by one with each renewal, and refuses one on a count that has passed", async (store) => {
    const { count } = await store.createLease(model, writer, noAbort);
    expect(await store.renewLease(model, writer, count, noAbort)).toEqual({
      writer,
      count: count + 1,
      state: "held",
    });
    expect(await store.renewLease(model, writer, count, noAbort)).toBeUndefined();
    expect(await store.renewLease(model, writer, count + 7, noAbort)).toBeUndefined();
    expect((await store.readLease(model, writer, noAbort))?.count).toBe(count + 1);
    expect(await store.renewLease(model, "nobody" as WriterId, 1, noAbort)).toBeUndefined();
  });

  test("R2: is closed only at the count that was seen, and then never renewed", async (store) => {
    const { count } = await store.createLease(model, writer, noAbort);
    await store.renewLease(model, writer, count, noAbort);
    expect(await store.closeLease(model, writer, count, noAbort)).toMatchObject({
      count: count + 1,
      state: "held",
    });
    const closing = await store.closeLease(model, writer, count + 1, noAbort);
    expect(closing).toEqual({ writer, count: count + 1, state: "closing" });
    expect(await store.renewLease(model, writer, count + 1, noAbort)).toBeUndefined();
    // Any number of sealers at once.
    expect(await store.closeLease(model, writer, count + 1, noAbort)).toEqual(closing);
  });

  test("R2: is finished once it is closing, and stays so", async (store) => {
    const { count } = await store.createLease(model, writer, noAbort);
    await rejection(store.finishLease(model, writer, noAbort), LaneConflictError);
    expect((await store.readLease(model, writer, noAbort))?.state).toBe("held");
    await store.closeLease(model, writer, count, noAbort);
    await store.finishLease(model, writer, noAbort);
    await store.finishLease(model, writer, noAbort);
    const closed = { writer, count, state: "closed" };
    expect(await store.readLease(model, writer, noAbort)).toEqual(closed);
    expect(await store.closeLease(model, writer, count, noAbort)).toEqual(closed);
    expect(await store.renewLease(model, writer, count, noAbort)).toBeUndefined();
    expect(await store.createLease(model, writer, noAbort)).toEqual(closed);
  });

  test("R2: of a renewal and a seal on one count exactly one is carried out", async (store, harness) => {
    await using other = await harness.open();
    for (let round = 0; round < 10; round++) {
      const id = `writer-${round}` as WriterId;
      const { count } = await store.createLease(model, id, noAbort);
      const renew = () => store.renewLease(model, id, count, noAbort);
      const close = () => other.closeLease(model, id, count, noAbort);
      const [renewed, closed] =
        round % 2 === 0
          ? await Promise.all([renew(), close()])
          : (await Promise.all([close(), renew()])).toReversed();
      const stands = await store.readLease(model, id, noAbort);
      if (renewed === undefined) expect(stands).toEqual({ writer: id, count, state: "closing" });
      else expect(stands).toEqual({ writer: id, count: count + 1, state: "held" });
      expect(closed).toBeDefined();
    }
  });
}
