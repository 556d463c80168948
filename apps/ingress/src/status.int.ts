import { LaneStatus_State } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { QueryContent } from "@greco/domain/epoch";
import { laneId, seq, writerId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { epoch } from "@greco/domain/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { World } from "./testing/world.ts";
import {
  eventually,
  flight,
  FLIGHTS,
  flightsContent,
  MODEL,
  never,
  openWorld,
  refusal,
  RESOURCE,
} from "./testing/world.ts";

const LATE = "stream/late@1" as EntityIdentity;
const QUERY = "query/late-flights@1" as EntityIdentity;
const PARENT = "models/airline";
const one = { ...flightsContent, lanes: 1 };
const query: QueryContent = {
  name: "late-flights",
  from: "flights",
  to: "late",
  tables: [],
  where: "event.delay > 100.0",
  onError: { retries: 0, then: "skip" },
  timeoutMs: 1000,
  schemas: { from: flightsContent.schema, tables: {} },
};

describe("what the data plane shows of itself", () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
    await world.commit([
      { entity: FLIGHTS, content: one },
      { entity: LATE, content: { ...one, name: "late" } },
      { entity: QUERY, content: query },
    ]);
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  async function published(count: number) {
    // Longer than a busy machine may keep it from renewing: a lane that is opened anew is counted, too.
    const { client } = await world.ingress({ housekeepingMs: 50, operators: ["olga"], leaseMs: 4_000 });
    let last;
    for (let delay = 0; delay < count; delay += 1)
      last = await client.publish({ stream: RESOURCE, message: flight("VIE", delay) }, { signal: never });
    return { client, lane: laneId(last?.position?.lane ?? "") };
  }
  const lanesOf = async (client: Awaited<ReturnType<typeof published>>["client"], includeEnded = false) =>
    (await client.listLanes({ parent: PARENT, stream: "flights", includeEnded }, { signal: never })).lanes;

  /** What a runtime leaves behind: an output lane, a checkpoint, a claim. */
  async function work(
    lane: ReturnType<typeof laneId>,
    at: { readonly inputSeq: number; readonly done?: boolean; readonly holding?: string },
  ) {
    const writer = writerId("runtime-1");
    const id = laneId("late.out");
    await world.laneStore.createLease(MODEL, writer, never);
    const derived = { query: QUERY, inputLane: lane };
    await world.laneStore.registerLane(
      { model: MODEL, id, stream: LATE, writer, derived, registeredAtMs: 0 },
      never,
    );
    await world.laneStore.append(
      MODEL,
      [{ lane: id, entries: [{ kind: "marker", seq: seq(1), epoch: epoch(1), appendedAtMs: 0 }] }],
      never,
    );
    const inputSeq = seq(at.inputSeq);
    const checkpoint = { query: QUERY, inputLane: lane, inputSeq, inputEpoch: epoch(1), writer };
    const held = at.holding === undefined ? {} : { holding: at.holding };
    await world.laneStore.putCheckpoint(
      MODEL,
      { ...checkpoint, ...held, outputs: [{ lane: id, seq: seq(1) }] },
      never,
    );
    const claim = {
      query: QUERY,
      inputLane: lane,
      writer,
      runtime: "r1",
      generation: 1,
      done: at.done ?? false,
    };
    await world.laneStore.claim(MODEL, claim, 0, never);
    return id;
  }

  it("lists streams, with their epochs and entries", async () => {
    const { client } = await published(3);
    const page = await client.listStreams({ parent: PARENT, pageSize: 3 }, { signal: never });
    const rest = await client.listStreams(
      { parent: PARENT, pageSize: 3, pageToken: page.nextPageToken },
      { signal: never },
    );
    expect([...page.streams, ...rest.streams].map(({ identity }) => identity)).toEqual([
      "stream/dead-letters@0",
      "stream/epochs@0",
      FLIGHTS,
      LATE,
    ]);
    expect(rest.nextPageToken).toBe("");
    expect(page.streams[2]).toMatchObject({
      name: RESOURCE,
      ledgerEpoch: 1n,
      lanesEpoch: 1n,
      liveLanes: 1,
      entries: 4n,
    });
    const bad = client.listStreams({ parent: PARENT, pageToken: "%%" }, { signal: never });
    expect(await refusal(bad)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_PAGE_TOKEN" });
  });

  it("lists lanes, with where each epoch begins and how far each query has come", async () => {
    const { client, lane } = await published(3);
    await work(lane, { inputSeq: 2 });
    await world.commit([{ entity: FLIGHTS, content: { ...one, key: "delay" } }]);
    const [status] = await eventually(async () => {
      const lanes = await lanesOf(client);
      return lanes[0]?.epoch === 2n ? lanes : undefined;
    });
    expect(status).toMatchObject({
      lane,
      stream: FLIGHTS,
      state: LaneStatus_State.OPEN,
      tailSeq: 5n,
      markers: [
        { epoch: 1n, seq: 1n },
        { epoch: 2n, seq: 5n },
      ],
      readers: [{ query: QUERY, readSeq: 2n, lag: 3n, epoch: 1n, runtime: "r1" }],
    });
  });

  it("says that there is no such stream, and lists none of a removed one's ended lanes as live", async () => {
    const { client } = await world.ingress();
    const list = (stream: string) => client.listLanes({ parent: PARENT, stream }, { signal: never });
    expect(await refusal(list("flihgts"))).toMatchObject({
      code: "NOT_FOUND",
      reason: "UNKNOWN_STREAM",
      message: "model airline has no stream flihgts at epoch 1: did you mean flights?",
    });
    await world.commit([{ entity: FLIGHTS }]);
    expect((await list("flights")).lanes).toEqual([]);
    expect((await list("dead-letters")).lanes).toEqual([]);
  });

  it("I12: shows why a query does not go on in a lane", async () => {
    const { client, lane } = await published(3);
    await work(lane, { inputSeq: 2, holding: "HOST_FAILED: no worker" });
    const [status] = await lanesOf(client);
    expect(status?.readers).toMatchObject([
      { query: QUERY, readSeq: 2n, epoch: 1n, runtime: "r1", holding: "HOST_FAILED: no worker" },
    ]);
  });

  it("I12: shows a lane that nobody can take, because a binding is missing, and goes on with all else", async () => {
    const { client, lane } = await published(3);
    await world.commit([{ entity: QUERY, content: { ...query, where: "true" } }], [FLIGHTS, LATE], {
      withhold: [QUERY],
    });
    const [held] = await eventually(async () => {
      const lanes = await lanesOf(client);
      return lanes[0]?.epoch === 2n ? lanes : undefined;
    });
    expect(held).toMatchObject({ lane, readers: [{ query: QUERY, readSeq: 0n, lag: 5n }] });
    expect(held?.readers[0]?.holding).toMatch(/^BINDING_MISSING: binding of query\/late-flights@1 /);
    const { crossings } = await client.listCrossings({ parent: PARENT, epoch: 2n }, { signal: never });
    expect(crossings).toMatchObject([{ query: QUERY, lane, crossed: false }]);
  });

  it("R7: shows a crossing once the marker stands durably in the query's own lane", async () => {
    const { client, lane } = await published(1);
    const output = await work(lane, { inputSeq: 2 });
    await world.commit(
      [{ entity: QUERY, content: { ...query, where: "event.delay > 5.0" } }],
      [FLIGHTS, LATE],
    );
    const crossings = async () =>
      (await client.listCrossings({ parent: PARENT, epoch: 2n }, { signal: never })).crossings;
    const before = await eventually(async () => (await crossings().catch(() => undefined)) ?? undefined);
    expect(before).toMatchObject([{ query: QUERY, lane, epoch: 2n, crossed: false }]);
    const marker = { kind: "marker", seq: seq(2), epoch: epoch(2), appendedAtMs: 0 } as const;
    await world.laneStore.append(MODEL, [{ lane: output, entries: [marker] }], never);
    expect(await crossings()).toMatchObject([{ query: QUERY, lane, crossed: true }]);
    const ahead = client.listCrossings({ parent: PARENT, epoch: 9n }, { signal: never });
    expect(await refusal(ahead)).toMatchObject({ code: "OUT_OF_RANGE", reason: "EPOCH_AHEAD" });
  });

  it("lists epochs, with what each changed", async () => {
    const { client } = await published(0);
    await world.commit([{ entity: QUERY }], [FLIGHTS, LATE]);
    const { epochs } = await eventually(async () => {
      const page = await client.listEpochs({ parent: PARENT, fromEpoch: 2n }, { signal: never });
      return page.epochs.length === 1 ? page : undefined;
    });
    expect(epochs).toMatchObject([
      { epoch: 2n, candidate: "c2", scope: [FLIGHTS, LATE], bindings: [{ entity: QUERY, removed: true }] },
    ]);
  });

  it("I8: drops nothing that a query has still to read, whatever its retention", async () => {
    const short = { ...one, retentionMs: 1 };
    await world.commit([
      { entity: FLIGHTS, content: short },
      { entity: LATE, content: { ...short, name: "late" } },
    ]);
    const { client, lane } = await published(5);
    const retained = async (id: typeof lane) =>
      (await world.laneStore.getLane(MODEL, id, never))?.state.firstRetained;
    await work(lane, { inputSeq: 3 });
    const unread = { stream: "models/airline/streams/late", message: flight("VIE", 1) };
    const { position } = await client.publish(unread, { signal: never });
    // Nobody reads this one, and it comes after the other: when all but its last entry is gone, a round is done.
    await eventually(async () => ((await retained(laneId(position?.lane ?? ""))) === 2 ? true : undefined));
    expect(await retained(lane)).toBe(4);
    expect((await lanesOf(client))[0]?.readers[0]).toMatchObject({ readSeq: 3n, lag: 3n });
    const { streams } = await client.listStreams({ parent: PARENT }, { signal: never });
    expect(streams.find(({ name }) => name === RESOURCE)?.entries).toBe(3n);
  });

  it("takes an ended lane out of the live ones once every query has read it", async () => {
    const { client, lane } = await published(2);
    await world.laneStore.requestClose(MODEL, lane, never);
    await eventually(async () => (await world.laneStore.getLane(MODEL, lane, never))?.state.end);
    const isLive = async () =>
      (await world.laneStore.listLanes(MODEL, { stream: FLIGHTS }, never)).some(
        ({ info }) => info.id === lane,
      );
    expect(await isLive()).toBe(true);
    await work(lane, { inputSeq: 3 });
    await eventually(async () => ((await isLive()) ? undefined : true));
    expect((await lanesOf(client, true)).map((each) => [each.lane, each.state])).toContainEqual([
      lane,
      LaneStatus_State.ENDED,
    ]);
    // It is over, and holds its entries until their retention ends.
    const { streams } = await client.listStreams({ parent: PARENT }, { signal: never });
    expect(streams.find(({ name }) => name === RESOURCE)?.entries).toBe(3n);
  });

  it("I14: takes a dead-letter order by hand from an operator, for a message that the query reads", async () => {
    const { client, lane } = await published(2);
    const { running } = await world.ingress({ operators: ["olga"] });
    const olga = world.client(running.address, "olga");
    const order = { parent: PARENT, query: "late-flights", position: { lane, seq: 2n }, reason: "poison" };
    expect(await refusal(client.deadLetter(order, { signal: never }))).toMatchObject({
      code: "PERMISSION_DENIED",
    });
    const wrong = [
      [{ ...order, position: { lane, seq: 1n } }, "NOT_A_MESSAGE"],
      [{ ...order, position: { lane, seq: 99n } }, "NO_SUCH_POSITION"],
      [{ ...order, position: { lane: "x", seq: 1n } }, "UNKNOWN_LANE"],
      [{ ...order, query: "late-flight" }, "UNKNOWN_READER"],
    ] as const;
    for (const [request, reason] of wrong)
      expect(await refusal(olga.deadLetter(request, { signal: never }))).toMatchObject({ reason });
    await olga.deadLetter(order, { signal: never });
    expect(await world.laneStore.listDeadLetterOrders(MODEL, QUERY, lane, never)).toEqual([
      { query: QUERY, lane, seq: 2, actor: "olga", reason: "poison" },
    ]);
    await work(lane, { inputSeq: 2 });
    expect(await refusal(olga.deadLetter(order, { signal: never }))).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "ALREADY_READ",
      message: `late-flights has read lane ${lane} up to 2: what it made of 2 stands`,
    });
  });
});
