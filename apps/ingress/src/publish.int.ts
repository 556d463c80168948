import { systemClock } from "@greco/service-kit";
import type { EntityIdentity } from "@greco/domain/model";
import { EPOCHS_STREAM } from "@greco/domain/model";
import type { Log } from "@greco/ports";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { World } from "./testing/world.ts";
import {
  deafWake,
  eventually,
  flight,
  FLIGHTS,
  flightsContent,
  LEASE_MS,
  MODEL,
  never,
  openWorld,
  refusal,
  RESOURCE,
  rowsOf,
  silentLog,
} from "./testing/world.ts";

const bytes = (text: string) => ({ payload: new TextEncoder().encode(text) });

describe("publishing", () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
    await world.commit([{ entity: FLIGHTS, content: flightsContent }]);
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  it("stores a message in a lane by its key, and says where and in which epoch", async () => {
    const { client } = await world.ingress();
    const first = await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    const second = await client.publish({ stream: RESOURCE, message: flight("VIE", 2) }, { signal: never });
    expect(first).toMatchObject({ epoch: 1n, currentEpoch: 1n, duplicate: false });
    expect(second.position).toMatchObject({ lane: first.position?.lane, seq: 3n });
    const rows = await rowsOf(world, FLIGHTS);
    expect(rows.map((row) => (row.kind === "data" ? row.key : `E${row.epoch}`)).toSorted()).toEqual([
      "E1",
      "E1",
      "VIE",
      "VIE",
    ]);
  });

  it("I15: refuses what is not JSON of the stream's schema, with the path, and stores nothing of it", async () => {
    const { client } = await world.ingress();
    const publish = (message: { payload: Uint8Array }) =>
      refusal(client.publish({ stream: RESOURCE, message }, { signal: never }));
    const cases = [
      [await publish({ payload: new Uint8Array([0xff, 0xfe]) }), "message.payload"],
      [await publish(bytes("{")), "message.payload"],
      [await publish(bytes(`${"[".repeat(5000)}${"]".repeat(5000)}`)), "message.payload"],
      [await publish(bytes('{"origin":"VIE","delay":1,"__proto__":{}}')), "message.payload"],
      [await publish(flight("VIE", "late" as never)), "message.payload.delay"],
    ] as const;
    for (const [error, field] of cases)
      expect(error).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "PAYLOAD_INVALID",
        violations: [{ field }],
      });
    await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    expect((await rowsOf(world, FLIGHTS)).filter(({ kind }) => kind === "data")).toHaveLength(1);
  });

  it("I15: says precisely why there is no such stream", async () => {
    const { client } = await world.ingress();
    const publish = (stream: string) =>
      refusal(client.publish({ stream, message: flight("VIE", 1) }, { signal: never }));
    expect(await publish("models/airline/streams/flihgts")).toMatchObject({
      code: "NOT_FOUND",
      reason: "UNKNOWN_STREAM",
      metadata: { nearest: "models/airline/streams/flights" },
    });
    expect(await publish("models/airlines/streams/flights")).toMatchObject({
      code: "NOT_FOUND",
      reason: "UNKNOWN_MODEL",
    });
    expect(await publish("models/airline/streams/fl.ights")).toMatchObject({ code: "INVALID_ARGUMENT" });
    await world.commit([{ entity: FLIGHTS }]);
    expect(await publish(RESOURCE)).toMatchObject({
      code: "NOT_FOUND",
      reason: "STREAM_REMOVED",
      metadata: { removedByEpoch: "2" },
    });
  });

  it("I5: takes no message, and so no forged marker, for the streams that Greco writes", async () => {
    const { client } = await world.ingress();
    for (const name of ["epochs", "dead-letters"]) {
      const stream = `models/airline/streams/${name}`;
      const error = await refusal(
        client.publish({ stream, message: bytes('{"epoch":9}') }, { signal: never }),
      );
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "BUILT_IN_STREAM" });
    }
  });

  it("I14: lets publish and subscribe whom the stream's binding names, and says who may not", async () => {
    await world.commit([
      { entity: FLIGHTS, content: { ...flightsContent, access: { publish: ["bob"], subscribe: ["ada"] } } },
    ]);
    const { running, client: ada } = await world.ingress();
    const bob = world.client(running.address, "bob");
    expect(
      await refusal(ada.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never })),
    ).toMatchObject({ code: "PERMISSION_DENIED", metadata: { subject: "ada" } });
    await bob.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    const subscribed = bob.subscribe({ stream: RESOURCE, bounded: true }, { signal: never });
    await expect(subscribed[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
  });

  it("waits for at_least_epoch, and takes the message in no older one", async () => {
    const { client } = await world.ingress();
    await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    const publishing = client.publish(
      { stream: RESOURCE, message: flight("VIE", 2), atLeastEpoch: 2n },
      { signal: never },
    );
    await world.commit([{ entity: FLIGHTS, content: { ...flightsContent, key: "delay" } }]);
    expect(await publishing).toMatchObject({ epoch: 2n, currentEpoch: 2n });
    const late = client.publish(
      { stream: RESOURCE, message: flight("VIE", 2), atLeastEpoch: 3n },
      { signal: never, timeoutMs: 100 },
    );
    expect(await refusal(late)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("I6: checks by the schema in force at the lane's position, from the marker on", async () => {
    const { client } = await world.ingress();
    const publish = (message: { payload: Uint8Array }) =>
      client.publish({ stream: RESOURCE, message }, { signal: never });
    await publish(flight("VIE", 1));
    const stricter = { type: "object", properties: { delay: { type: "string" } }, required: ["delay"] };
    await world.commit([{ entity: FLIGHTS, content: { ...flightsContent, schema: stricter } }]);
    const taken = await eventually(async () => {
      const outcome = await publish(bytes('{"delay":"2"}')).catch(() => undefined);
      return outcome;
    });
    expect(taken.epoch).toBe(2n);
    expect(await refusal(publish(flight("VIE", 1)))).toMatchObject({ reason: "PAYLOAD_INVALID" });
    for (const row of await rowsOf(world, FLIGHTS))
      if (row.kind === "data")
        expect(new TextDecoder().decode(row.payload).includes('"2"')).toBe(row.epoch === 2);
  });

  it("answers batches in their order, and goes on behind a message that it refuses", async () => {
    const { client } = await world.ingress();
    async function* requests() {
      for (let batch = 0; batch < 5; batch += 1)
        yield {
          stream: batch === 3 ? "models/airline/streams/other" : RESOURCE,
          batchId: BigInt(batch),
          messages: [flight("VIE", batch), batch === 1 ? bytes("[]") : flight("GRZ", batch)],
        };
    }
    const answers = [];
    for await (const response of client.publishBatches(requests(), { signal: never }))
      answers.push(
        `${response.batchId} ${response.results
          .map(({ outcome }) => (outcome.case === "failure" ? outcome.value.reason : outcome.case))
          .join(" ")}`,
      );
    expect(answers).toEqual([
      "0 published published",
      "1 published PAYLOAD_INVALID",
      "2 published published",
      "3 UNKNOWN_STREAM UNKNOWN_STREAM",
      "4 published published",
    ]);
  });

  it("ends a removed stream's lanes behind the marker; made again, it has other lanes", async () => {
    const { client } = await world.ingress();
    await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    await world.commit([{ entity: FLIGHTS }]);
    const ended = await eventually(async () => {
      const lanes = await world.laneStore.listLanes(MODEL, { stream: FLIGHTS, includeFinished: true }, never);
      return lanes.every(({ state }) => state.end !== undefined) ? lanes : undefined;
    });
    for (const { info, state } of ended) {
      const [last] = await world.laneStore.readBackwards(MODEL, info.id, state.end ?? (0 as never), 1, never);
      expect(last).toMatchObject({ kind: "marker", epoch: 2 });
    }
    const again = "stream/flights@3" as EntityIdentity;
    await world.commit([{ entity: again, content: flightsContent }]);
    const published = await client.publish(
      { stream: RESOURCE, message: flight("VIE", 2) },
      { signal: never },
    );
    expect(published.epoch).toBe(3n);
    expect(await world.laneStore.listLanes(MODEL, { stream: again }, never)).toHaveLength(2);
  });

  it("R3: opens new lanes when the stream's number of lanes or retention changes", async () => {
    const { client } = await world.ingress();
    await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    await world.commit([{ entity: FLIGHTS, content: { ...flightsContent, lanes: 3, retentionMs: 60_000 } }]);
    await client.publish(
      { stream: RESOURCE, message: flight("VIE", 2), atLeastEpoch: 2n },
      { signal: never },
    );
    const lanes = await eventually(async () => {
      const listed = await world.laneStore.listLanes(
        MODEL,
        { stream: FLIGHTS, includeFinished: true },
        never,
      );
      return listed.filter(({ state }) => state.end !== undefined).length === 2 ? listed : undefined;
    });
    expect(lanes.filter(({ info }) => info.retentionMs === 60_000)).toHaveLength(3);
  });

  it("puts the marker of every epoch into a lane of the stream epochs", async () => {
    await world.ingress();
    await eventually(async () => (await rowsOf(world, EPOCHS_STREAM))[0]);
    await world.commit([], []);
    await world.commit([], []);
    const rows = await eventually(async () => {
      const found = await rowsOf(world, EPOCHS_STREAM);
      return found.length === 3 ? found : undefined;
    });
    expect(rows.map((row) => `${row.kind} ${row.epoch}`)).toEqual(["marker 1", "marker 2", "marker 3"]);
  });

  it("R1: acknowledges nothing that it cannot store, and says how long to wait when it is full", async () => {
    let stuck = false;
    const laneStore = Object.assign(Object.create(world.laneStore) as typeof world.laneStore, {
      append: async (...[model, appends, signal]: Parameters<typeof world.laneStore.append>) => {
        if (stuck) await systemClock.sleep(1e9, signal);
        return world.laneStore.append(model, appends, signal);
      },
    });
    const { client } = await world.ingress({ fullWaitMs: 20, inflightBytes: 100 }, { laneStore });
    const publish = () => client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    await publish();
    stuck = true;
    const stop = new AbortController();
    const pending = Array.from({ length: 2 }, () =>
      client
        .publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: stop.signal })
        .then(() => "acknowledged")
        .catch(() => "not acknowledged"),
    );
    const full = await eventually(async () => {
      const error = await refusal(
        client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never, timeoutMs: 200 }),
      );
      return error.code === "RESOURCE_EXHAUSTED" ? error : undefined;
    });
    expect(full).toMatchObject({ reason: "INGRESS_FULL", retryAfterMs: 200 });
    stop.abort();
    expect(await Promise.all(pending)).toEqual(["not acknowledged", "not acknowledged"]);
    stuck = false;
  });

  it("R1: refuses what it has no room for, though it only waits for an epoch", async () => {
    const { client } = await world.ingress({ inflightBytes: 20_000 });
    const publish = (origin: string, signal: AbortSignal, atLeastEpoch = 0n) =>
      client.publish({ stream: RESOURCE, message: flight(origin, 1), atLeastEpoch }, { signal });
    const stop = new AbortController();
    const waiting = [1, 2].map(() => publish("x".repeat(6_000), stop.signal, 9n).catch(() => "given up"));
    const full = await eventually(async () => {
      const error = await refusal(publish("x".repeat(6_000), never)).catch(() => undefined);
      return error?.code === "RESOURCE_EXHAUSTED" ? error : undefined;
    });
    expect(full).toMatchObject({ reason: "INGRESS_FULL", retryAfterMs: 200 });
    async function* batch() {
      yield { stream: RESOURCE, batchId: 1n, messages: [flight("x".repeat(6_000), 1)] };
    }
    for await (const { results } of client.publishBatches(batch(), { signal: never }))
      expect(results[0]?.outcome.value).toMatchObject({ reason: "INGRESS_FULL", retryAfterMs: 200n });
    stop.abort();
    expect(await Promise.all(waiting)).toEqual(["given up", "given up"]);
    // What they had taken is free again.
    await eventually(() => publish("x".repeat(6_000), never).catch(() => undefined));
  });

  it("says nothing of what its own stop breaks off", async () => {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (event) => void warnings.push(event), child: () => log };
    const { running, client } = await world.ingress({}, { log });
    await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    await running[Symbol.asyncDispose]();
    const { running: idle } = await world.ingress({}, { log });
    await idle[Symbol.asyncDispose]();
    expect(warnings).toEqual([]);
    for (const { state } of await world.laneStore.listLanes(
      MODEL,
      { stream: FLIGHTS, includeFinished: true },
      never,
    ))
      expect(state.end).toBeDefined();
  });

  it("I9: goes on with nothing but its lanes: no control plane, no hints, no binding store", async () => {
    const { client } = await world.ingress({}, { wake: deafWake });
    await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    await world.bindingStore[Symbol.asyncDispose]();
    for (let delay = 2; delay < 5; delay += 1)
      await client.publish({ stream: RESOURCE, message: flight("VIE", delay) }, { signal: never });
    expect((await rowsOf(world, FLIGHTS)).filter(({ kind }) => kind === "data")).toHaveLength(4);
  });

  it("R2: opens new lanes when it has lost its lease, and goes on", async () => {
    const { client } = await world.ingress();
    const first = await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    const before = await world.laneStore.getLane(MODEL, (first.position?.lane ?? "") as never, never);
    const writer = before?.info.writer ?? ("" as never);
    const lease = await world.laneStore.readLease(MODEL, writer, never);
    for (let count = lease?.count ?? 0; ; count += 1) {
      const stands = await world.laneStore.closeLease(MODEL, writer, count, never);
      if (stands.state !== "held") break;
    }
    const other = await eventually(async () => {
      const published = await client
        .publish({ stream: RESOURCE, message: flight("VIE", 2) }, { signal: never, timeoutMs: LEASE_MS })
        .catch(() => undefined);
      return published?.position?.lane === first.position?.lane ? undefined : published;
    });
    expect(other.epoch).toBe(1n);
    await eventually(async () =>
      (await world.laneStore.getLane(MODEL, before?.info.id ?? ("" as never), never))?.state.end === undefined
        ? undefined
        : true,
    );
  });
});
