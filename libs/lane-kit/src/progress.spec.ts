import type { ChangedBinding } from "@greco/domain/epoch";
import type { Seq } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { candidateId, epoch } from "@greco/domain/model";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock, simulatedIds } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BindingReader } from "./binding-reader.ts";
import { BindingMissingError, sha256 } from "./binding-reader.ts";
import type { LedgerFollower } from "./ledger-follower.ts";
import { followLedger } from "./ledger-follower.ts";
import { listCrossings, progressOf, readersOf } from "./progress.ts";
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
    content(binding) {
      const content = contents.get(binding.hash);
      if (content === undefined) return Promise.reject(new BindingMissingError(binding, "is not stored"));
      return Promise.resolve(content);
    },
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
  afterEach(async () => {
    await ledger[Symbol.asyncDispose]();
  });
  const put = (entity: EntityIdentity, content: object): ChangedBinding => {
    const text = JSON.stringify(content);
    contents.set(sha256(text), text);
    return { entity, candidate: candidateId("c"), hash: sha256(text), removed: false };
  };
  /** Named by the ledger, and nowhere stored. */
  const lost = (entity: EntityIdentity): ChangedBinding => {
    const hash = sha256(`lost ${entity}`);
    return { entity, candidate: candidateId("c"), hash, removed: false };
  };
  const readers = (stream: EntityIdentity, from: number, to: number) =>
    clock.drive(readersOf({ laneStore: store, ledger, bindings }, stream, epoch(from), epoch(to), never));
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
    expect(await readers(STREAM, 1, 3)).toEqual([{ query: QUERY, since: 1, until: 3 }]);
    expect(await readers(STREAM, 3, 3)).toEqual([]);
    expect(await readers(LATE, 1, 3)).toEqual([{ query: QUERY, since: 3 }]);
  });

  it("takes a stream that was removed and made again for another one, though the query is the same", async () => {
    const again = "stream/flights@3" as EntityIdentity;
    await commitAll(
      [put(STREAM, {}), put(QUERY, { from: "flights" })],
      [{ entity: STREAM, removed: true }],
      [put(again, {})],
      [{ entity: again, removed: true }, put("stream/flights@4" as EntityIdentity, {})],
    );
    expect(await readers(STREAM, 1, 4)).toEqual([{ query: QUERY, since: 1, until: 2 }]);
    expect(await readers(STREAM, 2, 4)).toEqual([]);
    expect(await readers(again, 1, 4)).toEqual([{ query: QUERY, since: 3, until: 4 }]);
  });

  it("I13: takes a query whose binding cannot be had for a reader of what the scope of its epoch allows for", async () => {
    const other = "stream/other@1" as EntityIdentity;
    await commitAll(
      [put(STREAM, {}), put(LATE, {}), put(other, {})],
      [lost(QUERY)],
      [put(QUERY, { from: "late" })],
      [put(QUERY, { from: "flights" })],
      [lost(QUERY)],
    );
    const unknown = expect.stringMatching(/^BINDING_MISSING: .*query\/q@1/) as string;
    expect(await readers(STREAM, 1, 2)).toEqual([{ query: QUERY, since: 2, until: 3, unknown }]);
    expect(await readers(STREAM, 3, 5)).toEqual([{ query: QUERY, since: 4, unknown }]);
    expect(await readers(LATE, 1, 5)).toEqual([{ query: QUERY, since: 3, until: 4 }]);
    expect(await readers(other, 1, 5)).toEqual([]);
    expect(await readers(STREAM, 1, 1)).toEqual([]);
  });

  it("leaves out of the crossings who only seemed to read a lane, by a binding that was retired", async () => {
    await commitAll([put(STREAM, {}), put(LATE, {})], [lost(QUERY)], [put(QUERY, { from: "late" })]);
    const lane = laneId("in");
    const info = { model: MODEL, id: lane, stream: STREAM, writer: writerId("w"), registeredAtMs: 0 };
    await clock.drive(store.registerLane(info, never));
    const marker = { kind: "marker", seq: seq(1), epoch: epoch(2), appendedAtMs: 0 } as const;
    await clock.drive(store.append(MODEL, [{ lane, entries: [marker] }], never));
    const crossings = () =>
      clock.drive(listCrossings({ laneStore: store, ledger, bindings }, epoch(3), never));
    const waits = [{ query: QUERY, lane, epoch: 3, crossed: false }];
    expect(await crossings()).toEqual(waits);
    await clock.drive(store.raiseFloor(MODEL, epoch(2), never));
    expect(await crossings()).toEqual(waits);
    await clock.drive(store.raiseFloor(MODEL, epoch(3), never));
    expect(await crossings()).toEqual([]);
    const claim = { query: QUERY, inputLane: lane, writer: writerId("r"), runtime: "r", generation: 1 };
    await clock.drive(store.claim(MODEL, { ...claim, done: false }, 0, never));
    expect(await crossings(), "it has read it").toEqual(waits);
  });

  it("I12: says why who has a lane holds it, and nothing of those who had it before", async () => {
    const input = laneId("in");
    const checkpoint = (writer: string, holding?: string) =>
      store.putCheckpoint(
        MODEL,
        {
          ...{ query: QUERY, inputLane: input, inputSeq: seq(1), inputEpoch: epoch(1) },
          ...{ outputs: [], writer: writerId(writer) },
          ...(holding === undefined ? {} : { holding }),
        },
        never,
      );
    const claim = async (writer: string, generation: number, runtime = "r") => {
      const claimed = { query: QUERY, inputLane: input, writer: writerId(writer), runtime, generation };
      await clock.drive(store.claim(MODEL, { ...claimed, done: false }, generation - 1, never));
    };
    const holding = async () =>
      (await clock.drive(progressOf({ laneStore: store, ledger }, QUERY, input, never))).holding;
    await clock.drive(checkpoint("first", "BINDING_MISSING: of q"));
    expect(await holding()).toBeUndefined();
    await claim("first", 1);
    expect(await holding()).toBe("BINDING_MISSING: of q");
    await claim("second", 2);
    expect(await holding()).toBeUndefined();
    await clock.drive(checkpoint("second", "HOST_FAILED: no"));
    expect(await holding()).toBe("HOST_FAILED: no");
    await claim("second", 3, "");
    expect(await holding()).toBeUndefined();
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
  });
});
