/** The ledger is written once an epoch; the floor only grows. */
import type { CandidateId } from "@greco/domain/model";
import { expect } from "vitest";
import { type LaneStore, LedgerConflictError } from "../lane-store.ts";
import { noAbort, rejection, type Setup, tester } from "./harness.ts";
import { epochOf, laneInfo, ledgerEntry, model, otherModel } from "./lane-store.helpers.ts";

export function ledgerTests(setup: Setup<LaneStore>): void {
  const test = tester(setup);
  const epochs = async (store: LaneStore, after = 0, limit = 100): Promise<number[]> =>
    (await store.readLedger(model, epochOf(after), limit, noAbort)).map((entry) => entry.epoch);

  test("I5: gives back an epoch's entry, and takes the same again but never another", async (store, harness) => {
    await using other = await harness.open();
    await store.appendLedger(ledgerEntry(1), noAbort);
    await other.appendLedger(ledgerEntry(1), noAbort);
    // Written again by another coordinator, which lists the sets in another order.
    const { bindings, scope } = ledgerEntry(1);
    const reordered = { bindings: bindings.toReversed(), scope: scope.toReversed() };
    await other.appendLedger(ledgerEntry(1, reordered), noAbort);
    const second = ledgerEntry(1, { candidate: "another" as CandidateId });
    await rejection(other.appendLedger(second, noAbort), LedgerConflictError);
    const [first, ...others] = await store.readLedger(model, epochOf(0), 10, noAbort);
    const sorted = <T extends { readonly entity: string }>(of: readonly T[] = []): T[] =>
      of.toSorted((a, b) => (a.entity < b.entity ? -1 : 1));
    expect({ ...first, bindings: sorted(first?.bindings), scope: first?.scope.toSorted() }).toEqual({
      ...ledgerEntry(1),
      bindings: sorted(bindings),
      scope: scope.toSorted(),
    });
    expect(others).toEqual([]);
  });

  test("I5: of two who write different entries for an epoch at once, one is refused", async (store, harness) => {
    await using other = await harness.open();
    const outcomes = await Promise.allSettled([
      store.appendLedger(ledgerEntry(1), noAbort),
      other.appendLedger(ledgerEntry(1, { committedAtMs: 1 }), noAbort),
    ]);
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await epochs(store)).toEqual([1]);
  });

  test("lists a model's entries above an epoch in order, gaps and all", async (store) => {
    for (const epoch of [5, 1, 2, 10]) await store.appendLedger(ledgerEntry(epoch), noAbort);
    await store.appendLedger(ledgerEntry(3, { model: otherModel }), noAbort);
    expect(await epochs(store)).toEqual([1, 2, 5, 10]);
    expect(await epochs(store, 2)).toEqual([5, 10]);
    expect(await epochs(store, 0, 2)).toEqual([1, 2]);
    expect(await epochs(store, 10)).toEqual([]);
  });

  test("lists a long ledger page by page, from anywhere", async (store) => {
    const all = Array.from({ length: 30 }, (_, index) => 985 + index);
    await Promise.all(all.map((epoch) => store.appendLedger(ledgerEntry(epoch), noAbort)));
    const seen: number[] = [];
    for (let after = 984; seen.length < all.length;) {
      const page = await epochs(store, after, 7);
      expect(page.length).toBeGreaterThan(0);
      seen.push(...page);
      after = seen.at(-1) as number;
    }
    expect(seen).toEqual(all);
    expect([await epochs(store, 1_010), await epochs(store, 1_014)]).toEqual([
      [1_011, 1_012, 1_013, 1_014],
      [],
    ]);
    expect(await epochs(store, 998)).toEqual(all.filter((epoch) => epoch > 998));
  });

  test("knows the models that have a ledger or lanes", async (store) => {
    expect(await store.listModels(noAbort)).toEqual([]);
    await store.appendLedger(ledgerEntry(1), noAbort);
    await store.registerLane(laneInfo({ model: otherModel }), noAbort);
    expect((await store.listModels(noAbort)).toSorted()).toEqual([model, otherModel]);
  });

  test("R9: raises the floor and never lowers it, whoever is late", async (store, harness) => {
    await using other = await harness.open();
    expect(await store.readFloor(model, noAbort)).toBe(0);
    await store.raiseFloor(model, epochOf(3), noAbort);
    await other.raiseFloor(model, epochOf(2), noAbort);
    expect(await other.readFloor(model, noAbort)).toBe(3);
    await Promise.all(
      [7, 5, 9, 4].map((floor, index) =>
        (index % 2 === 0 ? store : other).raiseFloor(model, epochOf(floor), noAbort),
      ),
    );
    expect(await store.readFloor(model, noAbort)).toBe(9);
    expect(await store.readFloor(otherModel, noAbort)).toBe(0);
  });
}
