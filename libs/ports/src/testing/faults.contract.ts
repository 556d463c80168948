/** What holds for every store, whatever it keeps: giving up, closing, opening again. */
import { expect } from "vitest";
import { StoreUnavailableError } from "../cp-store.ts";
import { noAbort, rejection, type Setup, tester } from "./harness.ts";

export type Probe<Store> = {
  /** What that write needs to be there before. */
  prepare?(store: Store, turn: number): Promise<unknown>;
  /** One write; `turn` tells them apart. */
  write(store: Store, turn: number, signal: AbortSignal): Promise<unknown>;
  /** Whether that write is there as a whole (true), not at all (false), or in part. */
  written(store: Store, turn: number): Promise<boolean | "in part">;
};

export function faultTests<Store extends AsyncDisposable>(setup: Setup<Store>, probe: Probe<Store>): void {
  const test = tester(setup);

  test("keeps what it acknowledged when it is closed and opened again", async (store, harness) => {
    const closed = await harness.open();
    await probe.prepare?.(store, 1);
    await probe.write(closed, 1, noAbort);
    await closed[Symbol.asyncDispose]();
    await using again = await harness.open();
    expect([await probe.written(again, 1), await probe.written(store, 1)]).toEqual([true, true]);
  });

  test("shows one handle what another has written, at once", async (store, harness) => {
    await using other = await harness.open();
    for (let turn = 0; turn < 6; turn++) {
      const [from, to] = turn % 2 === 0 ? [store, other] : [other, store];
      await probe.prepare?.(from, turn);
      await probe.write(from, turn, noAbort);
      expect(await probe.written(to, turn)).toBe(true);
    }
  });

  test("rejects with the signal's reason when it has aborted, and does nothing", async (store) => {
    const reason = new Error("given up");
    await probe.prepare?.(store, 1);
    await expect(probe.write(store, 1, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await probe.written(store, 1)).toBe(false);
  });

  test("leaves all or nothing behind a write that is given up on its way", async (store) => {
    for (let turn = 0; turn < 20; turn++) {
      await probe.prepare?.(store, turn);
      const giveUp = new AbortController();
      const reason = new Error("given up");
      const outcome = probe.write(store, turn, giveUp.signal).then(
        () => "done",
        (error: unknown) => error,
      );
      for (let yields = turn % 5; yields > 0; yields--) await Promise.resolve();
      giveUp.abort(reason);
      const answer = await outcome;
      expect(["done", reason]).toContain(answer);
      const written = await probe.written(store, turn);
      expect(answer === "done" ? [true] : [true, false]).toContain(written);
    }
  });

  test("refuses work once it is closed, and closes as often as it is asked", async (_store, harness) => {
    const closed = await harness.open();
    await closed[Symbol.asyncDispose]();
    await closed[Symbol.asyncDispose]();
    await rejection(probe.write(closed, 1, noAbort), StoreUnavailableError);
  });

  test("answers what was asked before it was closed", async (store, harness) => {
    await probe.prepare?.(store, 1);
    const closing = await harness.open();
    const writing = probe.write(closing, 1, noAbort);
    await closing[Symbol.asyncDispose]();
    await writing;
    expect(await probe.written(store, 1)).toBe(true);
  });
}
