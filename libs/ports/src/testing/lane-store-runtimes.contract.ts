/** What runtimes keep: checkpoints, claims, membership, orders by hand, crossings. */
import type { LaneId, WriterId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { expect } from "vitest";
import type { Checkpoint, Claim, DeadLetterOrder, LaneStore } from "../lane-store.ts";
import { noAbort, type Setup, tester } from "./harness.ts";
import { at, epochOf, lane, model, otherModel, query, writer } from "./lane-store.helpers.ts";

const inputLane = lane;

function checkpoint(over: Partial<Checkpoint> = {}): Checkpoint {
  const outputs = [{ lane: "out" as LaneId, seq: at(4) }];
  return { query, inputLane, inputSeq: at(5), inputEpoch: epochOf(2), outputs, writer, ...over };
}

function claimBy(runtime: string, generation: number, done = false): Claim {
  return { query, inputLane, writer: `w-${runtime}-${generation}` as WriterId, runtime, generation, done };
}

export function runtimeTests(setup: Setup<LaneStore>): void {
  const test = tester(setup);

  test("keeps each writer's newest checkpoint of a query and an input lane", async (store, harness) => {
    await using other = await harness.open();
    const read = () => other.readCheckpoints(model, query, inputLane, noAbort);
    expect(await read()).toEqual([]);
    await store.putCheckpoint(model, checkpoint(), noAbort);
    await store.putCheckpoint(model, checkpoint({ inputSeq: at(9), outputs: [] }), noAbort);
    const second = checkpoint({ writer: "z" as WriterId });
    await store.putCheckpoint(model, second, noAbort);
    await store.putCheckpoint(model, checkpoint({ inputLane: "elsewhere" as LaneId }), noAbort);
    const found = await read();
    const byWriter = found.toSorted((a, b) => (a.writer < b.writer ? -1 : 1));
    expect(byWriter).toEqual([checkpoint({ inputSeq: at(9), outputs: [] }), second]);
  });

  test("lets exactly one of many runtimes claim, by generation", async (store, harness) => {
    await using other = await harness.open();
    const claims = ["a", "b", "c", "d"].map((runtime, index) =>
      (index % 2 === 0 ? store : other).claim(model, claimBy(runtime, 1), 0, noAbort),
    );
    const results = await Promise.all(claims);
    const winners = results.filter((result) => result.won);
    expect(winners).toHaveLength(1);
    expect(new Set(results.map((result) => result.claim.runtime)).size).toBe(1);
    expect(await store.listClaims(model, noAbort)).toEqual([winners[0]?.claim]);
  });

  test("changes a claim only from the generation that was seen, and tells what stands", async (store) => {
    await store.claim(model, claimBy("a", 1), 0, noAbort);
    const second = await store.claim(model, claimBy("b", 2), 1, noAbort);
    expect(second).toEqual({ won: true, claim: claimBy("b", 2) });
    const late = await store.claim(model, claimBy("a", 2), 1, noAbort);
    expect(late).toEqual({ won: false, claim: claimBy("b", 2) });
    // The answer was lost, and the claim is sent again.
    const repeated = await store.claim(model, claimBy("b", 2), 1, noAbort);
    expect(repeated).toEqual({ won: true, claim: claimBy("b", 2) });
    const done = await store.claim(model, claimBy("b", 3, true), 2, noAbort);
    expect(done).toEqual({ won: true, claim: claimBy("b", 3, true) });
    expect(await store.listClaims(otherModel, noAbort)).toEqual([]);
  });

  test("counts the heartbeats of those who are there", async (store, harness) => {
    await using other = await harness.open();
    const counts = async (): Promise<ReadonlyMap<string, number>> =>
      new Map((await other.listMembers(model, noAbort)).map(({ runtime, count }) => [runtime, count]));
    for (const runtime of ["a", "b", "a"]) await store.heartbeat(model, runtime, noAbort);
    const before = await counts();
    expect([...before.keys()].toSorted()).toEqual(["a", "b"]);
    await store.heartbeat(model, "a", noAbort);
    const after = await counts();
    expect(after.get("a")).not.toBe(before.get("a"));
    expect(after.get("b")).toBe(before.get("b"));
    await store.leave(model, "a", noAbort);
    await store.leave(model, "never-there", noAbort);
    expect([...(await counts()).keys()]).toEqual(["b"]);
  });

  test("keeps what an operator ordered for a position; the first order stands", async (store, harness) => {
    await using other = await harness.open();
    const order = (seq: number, reason = "poison"): DeadLetterOrder => ({
      query,
      lane: inputLane,
      seq: at(seq),
      actor: "ana",
      reason,
    });
    await store.putDeadLetterOrder(model, order(10), noAbort);
    await store.putDeadLetterOrder(model, order(9), noAbort);
    await other.putDeadLetterOrder(model, order(9, "again"), noAbort);
    expect(await other.listDeadLetterOrders(model, query, inputLane, noAbort)).toEqual([order(9), order(10)]);
    expect(
      await store.listDeadLetterOrders(model, "query/other@1" as EntityIdentity, inputLane, noAbort),
    ).toEqual([]);
  });

  test("R7: records how far a query has crossed, which only grows", async (store, harness) => {
    await using other = await harness.open();
    expect(await store.readCrossing(model, query, inputLane, noAbort)).toBe(0);
    await store.recordCrossing(model, query, inputLane, epochOf(4), noAbort);
    await other.recordCrossing(model, query, inputLane, epochOf(3), noAbort);
    expect(await other.readCrossing(model, query, inputLane, noAbort)).toBe(4);
    expect(await other.readCrossing(model, query, "elsewhere" as LaneId, noAbort)).toBe(0);
  });
}
