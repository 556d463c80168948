/** What every `LaneStore` must do (lane-store.ts). An adapter's spec calls `laneStoreContract`. */
import type { LaneId, LaneInfo, WriterId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { describe, expect } from "vitest";
import { LaneConflictError, LaneUnknownError, type LaneStore } from "../lane-store.ts";
import { faultTests, type Probe } from "./faults.contract.ts";
import { noAbort, rejection, type Setup, tester } from "./harness.ts";
import { leaseTests } from "./lane-store-lease.contract.ts";
import { ledgerTests } from "./lane-store-ledger.contract.ts";
import { rowTests } from "./lane-store-rows.contract.ts";
import { runtimeTests } from "./lane-store-runtimes.contract.ts";
import {
  append,
  at,
  data,
  lane,
  laneInfo,
  marker,
  model,
  otherModel,
  seqsFrom,
  stream,
  writer,
} from "./lane-store.helpers.ts";

/** Two rows of one lane in one call. */
const probe: Probe<LaneStore> = {
  prepare: (store, turn) => store.registerLane(laneInfo({ id: `lane-${turn}` as LaneId }), noAbort),
  write: (store, turn, signal) =>
    store.append(model, [{ lane: `lane-${turn}` as LaneId, entries: [marker(1, 1), data(2)] }], signal),
  async written(store, turn) {
    const id = `lane-${turn}` as LaneId;
    const { entries } = await store.read(model, id, at(1), 10, noAbort);
    return entries.length === 1 ? "in part" : entries.length === 2;
  },
};

export function laneStoreContract(name: string, setup: Setup<LaneStore>): void {
  describe(`${name} keeps the contract of LaneStore`, () => {
    describe("lanes", () => laneTests(setup));
    describe("rows", () => rowTests(setup));
    describe("writers' leases", () => leaseTests(setup));
    describe("ledger and floor", () => ledgerTests(setup));
    describe("runtimes", () => runtimeTests(setup));
    describe("faults", () => faultTests(setup, probe));
  });
}

function laneTests(setup: Setup<LaneStore>): void {
  const test = tester(setup);

  test("R3: registers a lane with all that is fixed about it, open, retained from its first row", async (store) => {
    const info = laneInfo({
      retentionMs: 86_400_000,
      derived: { query: "query/q@1" as EntityIdentity, inputLane: "input" as LaneId },
      predecessor: "sealed" as LaneId,
    });
    await store.registerLane(info, noAbort);
    const record = { info, state: { closeRequested: false, firstRetained: 1 } };
    expect(await store.getLane(model, lane, noAbort)).toEqual(record);
    expect(await store.getLane(model, "absent" as LaneId, noAbort)).toBeUndefined();
    expect(await store.getLane(otherModel, lane, noAbort)).toBeUndefined();
  });

  test("takes the same registration again, and refuses another one for the lane", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    await append(store, marker(1, 1));
    await store.registerLane(laneInfo(), noAbort);
    expect(await seqsFrom(store)).toEqual([1]);
    const other = laneInfo({ writer: "another" as WriterId });
    await rejection(store.registerLane(other, noAbort), LaneConflictError);
    expect((await store.getLane(model, lane, noAbort))?.info).toEqual(laneInfo());
  });

  test("lists a model's live lanes by id, of one stream or all, and finished ones when asked", async (store) => {
    const elsewhere = "stream/other@1" as EntityIdentity;
    const infos = [
      laneInfo({ id: "b" as LaneId }),
      laneInfo({ id: "a" as LaneId }),
      laneInfo({ id: "c" as LaneId, stream: elsewhere, writer: "w2" as WriterId }),
      laneInfo({ id: "d" as LaneId, model: otherModel }),
    ];
    for (const info of infos) await store.registerLane(info, noAbort);
    const ids = async (filter: Parameters<LaneStore["listLanes"]>[1]): Promise<string> =>
      (await store.listLanes(model, filter, noAbort)).map((record) => record.info.id).join(" ");
    expect(await ids({})).toBe("a b c");
    expect(await ids({ stream })).toBe("a b");
    // Sealed, but somebody may have to read it.
    await store.endLane(model, "a" as LaneId, at(0), noAbort);
    expect(await ids({})).toBe("a b c");
    await store.finishLane(model, "a" as LaneId, noAbort);
    expect([await ids({}), await ids({ stream }), await ids({ includeFinished: true })]).toEqual([
      "b c",
      "b",
      "a b c",
    ]);
    expect(await ids({ includeFinished: true, stream })).toBe("a b");
  });

  test("R9: lists very many lanes, and the same ones at a quorum of every site", async (store) => {
    const ids = Array.from({ length: 230 }, (_, index) => `lane-${String(index).padStart(3, "0")}` as LaneId);
    const writerOf = (index: number): WriterId => `writer-${index % 2}` as WriterId;
    // Few at once: those of one writer are compared and swapped in one place, and would only wait for each other.
    const atOnce = 4;
    for (let from = 0; from < ids.length; from += atOnce)
      await Promise.all(
        ids
          .slice(from, from + atOnce)
          .map((id, index) => store.registerLane(laneInfo({ id, writer: writerOf(index) }), noAbort)),
      );
    for (const filter of [{}, { everySite: true }, { includeFinished: true, everySite: true }]) {
      const listed = await store.listLanes(model, filter, noAbort);
      expect(listed.map((record) => record.info.id)).toEqual(ids);
    }
    expect(await store.lanesOfWriter(model, writerOf(0), noAbort)).toHaveLength(ids.length / 2);
  });

  test("R3: of two who register one id at once, one lane stands, and the other is told", async (store, harness) => {
    await using other = await harness.open();
    const infos = ["w1", "w2"].map((name) => laneInfo({ writer: name as WriterId }));
    const outcomes = await Promise.allSettled([
      store.registerLane(infos[0] as LaneInfo, noAbort),
      other.registerLane(infos[1] as LaneInfo, noAbort),
    ]);
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const winner = outcomes[0]?.status === "fulfilled" ? infos[0] : infos[1];
    expect((await other.getLane(model, lane, noAbort))?.info).toEqual(winner);
    expect(await store.listLanes(model, {}, noAbort)).toHaveLength(1);
  });

  test("keeps the rows of a finished lane, for replays within its retention", async (store) => {
    await store.registerLane(laneInfo(), noAbort);
    await append(store, marker(1, 1), data(2));
    await store.endLane(model, lane, at(2), noAbort);
    await store.finishLane(model, lane, noAbort);
    await store.finishLane(model, lane, noAbort);
    expect(await seqsFrom(store)).toEqual([1, 2]);
    expect((await store.getLane(model, lane, noAbort))?.state.end).toBe(2);
  });

  test("lists all lanes that a writer has registered", async (store) => {
    for (const id of ["b", "a"]) await store.registerLane(laneInfo({ id: id as LaneId }), noAbort);
    await store.registerLane(laneInfo({ id: "c" as LaneId, writer: "w2" as WriterId }), noAbort);
    await store.finishLane(model, "a" as LaneId, noAbort);
    const records = await store.lanesOfWriter(model, writer, noAbort);
    expect(records.map((record) => record.info.id).toSorted()).toEqual(["a", "b"]);
    expect(await store.lanesOfWriter(otherModel, writer, noAbort)).toEqual([]);
  });

  test("R5: tells the writer that somebody asks for the lane's end", async (store, harness) => {
    await using other = await harness.open();
    await store.registerLane(laneInfo(), noAbort);
    await other.requestClose(model, lane, noAbort);
    await other.requestClose(model, lane, noAbort);
    expect((await store.getLane(model, lane, noAbort))?.state).toEqual({
      closeRequested: true,
      firstRetained: 1,
    });
  });

  test("R2: of many who end a lane at once one end stands, for ever, and all are told it", async (store, harness) => {
    await using other = await harness.open();
    await store.registerLane(laneInfo(), noAbort);
    const ends = await Promise.all(
      [5, 3, 4, 3].map((end, index) =>
        (index % 2 === 0 ? store : other).endLane(model, lane, at(end), noAbort),
      ),
    );
    expect(new Set(ends).size).toBe(1);
    expect(await other.endLane(model, lane, at(9), noAbort)).toBe(ends[0]);
    expect((await store.getLane(model, lane, noAbort))?.state.end).toBe(ends[0]);
  });

  test("I15: says that a lane is unknown, whatever is asked of it", async (store) => {
    await rejection(store.read(model, lane, at(1), 10, noAbort), LaneUnknownError);
    await rejection(store.endLane(model, lane, at(1), noAbort), LaneUnknownError);
    await rejection(store.requestClose(model, lane, noAbort), LaneUnknownError);
    await rejection(append(store, data(1)), LaneUnknownError);
    await rejection(store.tail(model, lane, noAbort), LaneUnknownError);
    await rejection(store.finishLane(model, lane, noAbort), LaneUnknownError);
    expect(await store.listLanes(model, { includeFinished: true }, noAbort)).toEqual([]);
  });
}
