/** What every `BindingStore` must do (binding-store.ts). An adapter's spec calls `bindingStoreContract`. */
import type { Binding } from "@greco/domain/epoch";
import type { CandidateId, EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import { describe, expect } from "vitest";
import { BindingConflictError, type BindingSnapshot, type BindingStore } from "../binding-store.ts";
import { journalTests } from "./binding-store-journal.contract.ts";
import { faultTests, type Probe } from "./faults.contract.ts";
import { noAbort, rejection, type Setup, tester } from "./harness.ts";

const model = "flights" as ModelId;
const candidate = "candidate-1" as CandidateId;
const query = "query/late-flights@3" as EntityIdentity;
const table = "table/bands@1" as EntityIdentity;

function binding(over: Partial<Binding> = {}): Binding {
  return { model, entity: query, candidate, hash: "ab".repeat(32), content: `{"where":"é"}`, ...over };
}

/** Two bindings in one call. */
const probe: Probe<BindingStore> = {
  write: (store, turn, signal) =>
    store.putBindings(
      [query, table].map((entity) => binding({ entity, candidate: `candidate-${turn}` as CandidateId })),
      signal,
    ),
  async written(store, turn) {
    const { length } = await store.listBindings(model, `candidate-${turn}` as CandidateId, noAbort);
    return length === 1 ? "in part" : length === 2;
  },
};

export function bindingStoreContract(name: string, setup: Setup<BindingStore>): void {
  describe(`${name} keeps the contract of BindingStore`, () => {
    describe("bindings", () => bindingTests(setup));
    describe("snapshots", () => snapshotTests(setup));
    describe("conductors", () => journalTests(setup));
    describe("faults", () => faultTests(setup, probe));
  });
}

function bindingTests(setup: Setup<BindingStore>): void {
  const test = tester(setup);
  const get = (store: BindingStore, entity = query, of = candidate) =>
    store.getBinding(model, entity, of, noAbort);

  test("gives back what was published, by entity and candidate", async (store, harness) => {
    await using other = await harness.open();
    const large = binding({ entity: table, content: JSON.stringify("x".repeat(1_000_000)) });
    const next = binding({ candidate: "candidate-2" as CandidateId, content: "{}" });
    await store.putBindings([binding(), large, next], noAbort);
    expect(await get(other)).toEqual(binding());
    expect(await get(other, table)).toEqual(large);
    expect(await get(other, query, "candidate-2" as CandidateId)).toEqual(next);
    expect(await get(other, "query/other@1" as EntityIdentity)).toBeUndefined();
    expect(await store.getBinding("other" as ModelId, query, candidate, noAbort)).toBeUndefined();
  });

  test("R6: takes the same binding again, and never replaces one by another content or hash", async (store) => {
    await store.putBindings([binding()], noAbort);
    await store.putBindings([binding()], noAbort);
    for (const other of [binding({ content: "{}" }), binding({ hash: "cd".repeat(32) })])
      await rejection(store.putBindings([other], noAbort), BindingConflictError);
    expect(await get(store)).toEqual(binding());
  });

  test("R6: publishes all of a call or nothing, when one conflicts", async (store) => {
    await store.putBindings([binding()], noAbort);
    const all = [binding({ entity: table }), binding({ content: "{}" })];
    await rejection(store.putBindings(all, noAbort), BindingConflictError);
    expect(await get(store, table)).toBeUndefined();
  });

  test("R6: publishes very many in one call, of several candidates", async (store, harness) => {
    await using other = await harness.open();
    const all = Array.from({ length: 240 }, (_, index) =>
      binding({
        entity: `query/q-${String(index).padStart(3, "0")}@1` as EntityIdentity,
        candidate: `candidate-${index % 2}` as CandidateId,
        content: JSON.stringify({ index }),
      }),
    );
    await store.putBindings(all, noAbort);
    await other.putBindings(all, noAbort);
    expect(await other.listBindings(model, "candidate-1" as CandidateId, noAbort)).toHaveLength(120);
    for (const each of [all[0], all[77], all[239]])
      expect(await get(other, each?.entity, each?.candidate)).toEqual(each);
  });

  test("R6: of two contents published at once one stands, and the other's author is told", async (store, harness) => {
    await using other = await harness.open();
    const outcomes = await Promise.allSettled([
      store.putBindings([binding({ content: "1" })], noAbort),
      other.putBindings([binding({ content: "2" })], noAbort),
    ]);
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const winner = outcomes[0]?.status === "fulfilled" ? "1" : "2";
    expect((await get(other))?.content).toBe(winner);
  });

  test("lists a candidate's bindings without their content, and the candidates that have any", async (store) => {
    const second = "candidate-2" as CandidateId;
    await store.putBindings([binding({ entity: table }), binding(), binding({ candidate: second })], noAbort);
    const { content: _, ...head } = binding();
    const listed = await store.listBindings(model, candidate, noAbort);
    const sorted = listed.toSorted((a, b) => (a.entity < b.entity ? -1 : 1));
    expect(sorted).toEqual([head, { ...head, entity: table }]);
    expect((await store.listCandidates(model, noAbort)).toSorted()).toEqual([candidate, second]);
    expect(await store.listCandidates("other" as ModelId, noAbort)).toEqual([]);
  });

  test("deletes one binding, and no other; deleting what is gone is done", async (store) => {
    await store.putBindings([binding(), binding({ entity: table })], noAbort);
    await store.deleteBinding(model, query, candidate, noAbort);
    await store.deleteBinding(model, query, candidate, noAbort);
    expect([await get(store), await get(store, table)]).toEqual([undefined, binding({ entity: table })]);
    await store.deleteBinding(model, table, candidate, noAbort);
    expect(await store.listCandidates(model, noAbort)).toEqual([]);
  });
}

function snapshotTests(setup: Setup<BindingStore>): void {
  const test = tester(setup);
  const snapshot = (epoch: number, over: Partial<BindingSnapshot> = {}): BindingSnapshot => ({
    model,
    epoch: epoch as Epoch,
    bindings: [{ entity: query, candidate, hash: `${epoch}`.repeat(4) }],
    ...over,
  });
  const get = (store: BindingStore, epoch: number) => store.getSnapshot(model, epoch as Epoch, noAbort);

  test("gives the newest snapshot at or below an epoch", async (store, harness) => {
    await using other = await harness.open();
    for (const epoch of [10, 2, 5]) await store.putSnapshot(snapshot(epoch), noAbort);
    await store.putSnapshot(snapshot(4, { model: "other" as ModelId }), noAbort);
    expect(await get(other, 1)).toBeUndefined();
    expect(await get(other, 2)).toEqual(snapshot(2));
    expect(await get(other, 4)).toEqual(snapshot(2));
    expect(await get(other, 9)).toEqual(snapshot(5));
    expect(await get(other, 99)).toEqual(snapshot(10));
  });

  test("gives back a snapshot of very many bindings, as the first who folded it made it", async (store, harness) => {
    await using other = await harness.open();
    const bindings = Array.from({ length: 4_000 }, (_, index) => ({
      entity: `query/q-é-${index}@1` as EntityIdentity,
      candidate,
      hash: "ab".repeat(32),
    }));
    await store.putSnapshot(snapshot(7, { bindings }), noAbort);
    await other.putSnapshot(snapshot(7), noAbort);
    expect(await get(other, 8)).toEqual(snapshot(7, { bindings }));
  });

  test("takes a snapshot again, whoever made it, and one of nothing", async (store) => {
    await store.putSnapshot(snapshot(3, { bindings: [] }), noAbort);
    await store.putSnapshot(snapshot(3, { bindings: [] }), noAbort);
    expect(await get(store, 3)).toEqual(snapshot(3, { bindings: [] }));
  });
}
