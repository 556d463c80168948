import type { ChangedBinding } from "@greco/domain/epoch";
import type { Seq } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { candidateId, epoch } from "@greco/domain/model";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { beforeEach, describe, expect, it } from "vitest";
import type { BindingReader } from "./binding-reader.ts";
import { sha256 } from "./binding-reader.ts";
import type { LedgerFollower } from "./ledger-follower.ts";
import { followLedger } from "./ledger-follower.ts";
import { progressOf, readersOf } from "./progress.ts";
import type { MemoryLaneStore } from "./testing/memory-lane-store.ts";
import { createMemoryLaneStore } from "./testing/memory-lane-store.ts";
import { commit, directWake, MODEL, silentLog, STREAM } from "./testing/world.ts";

const never = new AbortController().signal;
const QUERY = "query/q@1" as EntityIdentity;
const LATE = "stream/late@1" as EntityIdentity;

describe("progress", () => {
  let clock: SimulatedClock;
  let store: MemoryLaneStore;
  let ledger: LedgerFollower;
  let world: Parameters<typeof commit>[0];
  const contents = new Map<string, string>();
  const bindings: BindingReader = {
    peek: ({ hash }) => contents.get(hash),
    content: ({ hash }) => Promise.resolve(contents.get(hash) ?? ""),
  };

  beforeEach(async () => {
    clock = simulatedClock();
    store = createMemoryLaneStore({ clock, chance: () => 0.5 });
    world = {
      laneStore: store,
      wake: directWake(),
      clock,
      ids: simulatedIds(),
      log: silentLog,
      model: MODEL,
    };
    ledger = await clock.drive(followLedger(world, never));
  });
  const put = (entity: EntityIdentity, content: object): ChangedBinding => {
    const text = JSON.stringify(content);
    contents.set(sha256(text), text);
    return { entity, candidate: candidateId("c"), hash: sha256(text), removed: false };
  };
  const commitAll = async (...epochs: (readonly ChangedBinding[])[]) => {
    for (const [at, changed] of epochs.entries())
      await clock.drive(commit(world, at + 1, { bindings: changed }, never));
    await clock.advance(10);
  };

  it("tells who reads a stream, from which epoch on and until which", async () => {
    const streams = [put(STREAM, {}), put(LATE, {})];
    await commitAll(
      [...streams, put(QUERY, { from: "flights", to: "late" })],
      [put(QUERY, { from: "flights", to: "late", where: "true" })],
      [put(QUERY, { from: "late", to: "flights" })],
    );
    const readers = (stream: EntityIdentity, from: number, to: number) =>
      readersOf({ laneStore: store, ledger, bindings }, stream, epoch(from), epoch(to), never);
    expect(await readers(STREAM, 1, 3)).toEqual([{ query: QUERY, to: LATE, since: 1, until: 3 }]);
    expect(await readers(STREAM, 3, 3)).toEqual([]);
    expect(await readers(LATE, 1, 3)).toEqual([{ query: QUERY, to: STREAM, since: 3 }]);
    await ledger[Symbol.asyncDispose]();
  });

  it("I8: counts a checkpoint only if its outputs stand below the ends of their lanes", async () => {
    const input = laneId("in");
    const lane = async (name: string, end: Seq) => {
      const id = laneId(name);
      const info = { model: MODEL, id, stream: LATE, writer: writerId(name), registeredAtMs: 0 };
      await clock.drive(store.registerLane(info, never));
      await clock.drive(store.endLane(MODEL, id, end, never));
      return id;
    };
    const checkpoint = async (name: string, end: number, inputSeq: number, outputSeq: number) => {
      const outputs = [{ lane: await lane(name, seq(end)), seq: seq(outputSeq) }];
      const common = { query: QUERY, inputLane: input, inputEpoch: epoch(1), writer: writerId(name) };
      await clock.drive(store.putCheckpoint(MODEL, { ...common, inputSeq: seq(inputSeq), outputs }, never));
    };
    await checkpoint("first", 5, 10, 5);
    await checkpoint("zombie", 5, 20, 6);
    const progress = await clock.drive(progressOf({ laneStore: store, ledger }, QUERY, input, never));
    expect(progress).toEqual({ inputSeq: 10, inputEpoch: 1, done: false });
    await ledger[Symbol.asyncDispose]();
  });
});
