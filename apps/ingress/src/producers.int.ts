import type { LaneId } from "@greco/domain/lane";
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
  rowsOf,
} from "./testing/world.ts";

type Client = Awaited<ReturnType<World["ingress"]>>["client"];
type Position = { readonly lane: string; readonly seq: bigint };

describe("producers with an id", () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
    await world.commit([{ entity: FLIGHTS, content: flightsContent }]);
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  function publish(client: Client, number: number, last?: Position, origin = "VIE") {
    const producer = { id: "tower", lastLane: last?.lane ?? "", lastSeq: last?.seq ?? 0n };
    const message = { ...flight(origin, number), producerSeq: BigInt(number) };
    return client.publish({ stream: RESOURCE, message, producer }, { signal: never });
  }
  const numbers = async (): Promise<number[]> => {
    const rows = await rowsOf(world, FLIGHTS);
    return rows
      .flatMap((row) => (row.kind === "data" ? (row.producer?.seq ?? []) : []))
      .toSorted((a, b) => a - b);
  };
  const laneOf = async (position: Position | undefined) =>
    (await world.laneStore.getLane(MODEL, (position?.lane ?? "") as LaneId, never))?.info;
  const positionOf = (position: Position | undefined): Position => {
    if (position === undefined) throw new Error("no position");
    return { lane: position.lane, seq: position.seq };
  };

  it("R5: acknowledges a repeated number with its first position, and does not store it again", async () => {
    const { client } = await world.ingress();
    const first = await publish(client, 1);
    const repeats = await Promise.all([publish(client, 1), publish(client, 1), publish(client, 2)]);
    expect(repeats.map(({ duplicate }) => duplicate)).toEqual([true, true, false]);
    expect(repeats[0]?.position).toEqual(first.position);
    expect(await numbers()).toEqual([1, 2]);
  });

  it("R5: sees a repeat within one batch", async () => {
    const { client } = await world.ingress();
    async function* requests() {
      const message = (number: number) => ({ ...flight("VIE", number), producerSeq: BigInt(number) });
      const producer = { id: "tower" };
      yield { stream: RESOURCE, batchId: 1n, messages: [message(1), message(2), message(1)], producer };
    }
    const results = [];
    for await (const response of client.publishBatches(requests(), { signal: never }))
      results.push(
        ...response.results.map(({ outcome }) => outcome.case === "published" && outcome.value.duplicate),
      );
    expect(results).toEqual([false, false, true]);
    expect(await numbers()).toEqual([1, 2]);
  });

  it("R5: closes the lanes elsewhere of a producer that comes from there, and drops what it finds in them", async () => {
    const { client: here } = await world.ingress({ name: "here" });
    const { client: there } = await world.ingress({ name: "there" });
    const acknowledged = await publish(here, 1);
    // Stored, but the producer has not seen the acknowledgements; one went to the other lane of the group.
    await publish(here, 2);
    await publish(here, 3, undefined, "GRZ");
    const moved = await publish(there, 2, positionOf(acknowledged.position));
    expect(moved.duplicate).toBe(true);
    expect((await publish(there, 3, positionOf(acknowledged.position), "GRZ")).duplicate).toBe(true);
    const next = await publish(there, 4, positionOf(acknowledged.position));
    expect(next.duplicate).toBe(false);
    expect(await numbers()).toEqual([1, 2, 3, 4]);
    // What follows stands in a lane that is read after the closed one.
    expect((await laneOf(next.position))?.predecessor).toBe(acknowledged.position?.lane);
    // The live ingress has rolled over, and takes messages again.
    expect(
      (await here.publish({ stream: RESOURCE, message: flight("VIE", 9) }, { signal: never })).epoch,
    ).toBe(1n);
  });

  const lanesNow = () => world.laneStore.listLanes(MODEL, { stream: FLIGHTS, includeFinished: true }, never);

  /** Another producer's move away rolls the group over. */
  async function rolledOver(here: Client, there: Client): Promise<void> {
    const other = (number: number, lastLane: string) => ({
      stream: RESOURCE,
      message: { ...flight("VIE", number), producerSeq: BigInt(number) },
      producer: { id: "other", lastLane, lastSeq: 0n },
    });
    const { position } = await here.publish(other(100, ""), { signal: never });
    await there.publish(other(101, position?.lane ?? ""), { signal: never });
  }

  it("R5: finds what stands in lanes that continue the named one", async () => {
    const { client: here } = await world.ingress({ name: "here" });
    const { client: there } = await world.ingress({ name: "there" });
    const acknowledged = await publish(here, 1);
    await rolledOver(here, there);
    // Stored in the successor, and the producer has not seen the acknowledgement.
    const unseen = await publish(here, 2, positionOf(acknowledged.position));
    expect(unseen.position?.lane).not.toBe(acknowledged.position?.lane);
    const moved = await publish(there, 2, positionOf(acknowledged.position));
    expect(moved).toMatchObject({ duplicate: true, position: { lane: unseen.position?.lane } });
    const next = await publish(there, 3, positionOf(acknowledged.position));
    expect((await laneOf(next.position))?.predecessor).toBe(unseen.position?.lane);
    expect(await numbers()).toEqual([1, 2, 3, 100, 101]);
  });

  it("R5: finds at an ingress that it comes back to what it has stored elsewhere meanwhile", async () => {
    const { client: here } = await world.ingress({ name: "here" });
    const { client: there } = await world.ingress({ name: "there" });
    const acknowledged = positionOf((await publish(here, 1)).position);
    const unseen = await publish(there, 2, acknowledged);
    const back = await publish(here, 2, acknowledged);
    expect(back).toMatchObject({ duplicate: true, position: { lane: unseen.position?.lane } });
    const next = await publish(here, 3, acknowledged);
    expect((await laneOf(next.position))?.predecessor).toBe(unseen.position?.lane);
    // And once more, with what it has named before.
    expect((await publish(there, 3, acknowledged)).duplicate).toBe(true);
    expect(await numbers()).toEqual([1, 2, 3]);
  });

  it("R5: lets producers that stay where they are keep their lanes, though both come from the same one", async () => {
    const { client: here } = await world.ingress({ name: "here" });
    const { client: there } = await world.ingress({ name: "there" });
    await publish(here, 1);
    await rolledOver(here, there);
    const message = (number: number) => ({ ...flight("VIE", number), producerSeq: BigInt(number) });
    await publish(here, 2);
    const before = (await lanesNow()).length;
    for (let number = 3; number < 8; number += 1) {
      await publish(here, number);
      const other = { stream: RESOURCE, message: message(number + 100), producer: { id: "other" } };
      await there.publish(other, { signal: never });
    }
    const lanes = await lanesNow();
    expect(lanes).toHaveLength(before);
    expect(lanes.filter(({ state }) => state.end === undefined).length).toBeGreaterThanOrEqual(4);
  });

  it("R5: lets the producers of a dead ingress go to two others, and stay there", async () => {
    const { client: dying, kill } = await world.mortalIngress();
    const send = (client: Client, id: string, number: number, lastLane = "") => {
      const message = { ...flight("VIE", number), producerSeq: BigInt(number) };
      return client.publish(
        { stream: RESOURCE, message, producer: { id, lastLane, lastSeq: 0n } },
        { signal: never },
      );
    };
    const ids = ["a", "b", "c", "d"];
    const lane = (await Promise.all(ids.map((id) => send(dying, id, 1))))[0]?.position?.lane;
    kill();
    const others = [(await world.ingress()).client, (await world.ingress()).client] as const;
    for (let number = 2; number < 6; number += 1)
      await Promise.all(ids.map((id, at) => send(others[at % 2 === 0 ? 0 : 1], id, number, lane)));
    // The dead one's two, and two of each of the others.
    expect(await lanesNow()).toHaveLength(6);
    expect(await numbers()).toEqual([1, 2, 3, 4, 5].flatMap((number) => ids.map(() => number)));
  });

  it("R5: stores once what was never acknowledged, where the producer had asked for its lane", async () => {
    const { client: dying, kill } = await world.mortalIngress();
    const told: string[] = [];
    async function* requests() {
      const producer = { id: "tower" };
      yield { stream: RESOURCE, batchId: 1n, messages: [], producer };
      yield {
        stream: RESOURCE,
        batchId: 2n,
        messages: [{ ...flight("VIE", 1), producerSeq: 1n }],
        producer,
      };
    }
    for await (const { batchId, producerPosition } of dying.publishBatches(requests(), { signal: never }))
      // The answer to the second one is lost.
      if (batchId === 1n) told.push(producerPosition?.lane ?? "");
    kill();
    const { client } = await world.ingress();
    const moved = await publish(client, 1, { lane: told[0] ?? "", seq: 0n });
    expect(moved.duplicate).toBe(true);
    expect((await publish(client, 2, { lane: told[0] ?? "", seq: 0n })).duplicate).toBe(false);
    expect(await numbers()).toEqual([1, 2]);
  });

  it("R3: goes on in lanes of the new number and retention, behind the old ones", async () => {
    const { client } = await world.ingress();
    let last = positionOf((await publish(client, 1)).position);
    const first = await lanesNow();
    const open = async (size: number) => {
      const lanes = (await lanesNow()).filter(({ state }) => state.end === undefined);
      return lanes.length === size && lanes.every(({ info }) => info.group?.size === size)
        ? lanes
        : undefined;
    };
    let number = 1;
    for (const lanes of [5, 1]) {
      const content = { ...flightsContent, lanes, retentionMs: 60_000 };
      const atLeastEpoch = BigInt(await world.commit([{ entity: FLIGHTS, content }]));
      await client.publish({ stream: RESOURCE, message: flight("X", 1), atLeastEpoch }, { signal: never });
      number += 1;
      last = positionOf((await publish(client, number, last, `K${number}`)).position);
      const opened = await eventually(() => open(lanes));
      expect(opened.map(({ info }) => info.retentionMs)).toEqual(opened.map(() => 60_000));
      expect((await laneOf(last))?.group?.size).toBe(lanes);
      expect((await publish(client, number, last)).duplicate).toBe(true);
      if (lanes === 5)
        expect(new Set(opened.map(({ info }) => info.predecessor))).toEqual(
          new Set(first.map(({ info }) => info.id)),
        );
    }
  });

  it("R3: ends a producer's lanes that do not fit any more, though nobody else publishes", async () => {
    const { client } = await world.ingress();
    let number = 1;
    const next = async () => (await laneOf((await publish(client, number++)).position))?.group?.size;
    expect(await next()).toBe(2);
    await world.commit([{ entity: FLIGHTS, content: { ...flightsContent, lanes: 3 } }]);
    await eventually(async () => ((await next()) === 3 ? true : undefined));
  });

  it("R5: reads what a dead ingress has stored, once its lanes are sealed", async () => {
    const { client: dying, kill } = await world.mortalIngress();
    const acknowledged = await publish(dying, 1);
    await publish(dying, 2);
    kill();
    const { client } = await world.ingress();
    const moved = await publish(client, 2, positionOf(acknowledged.position));
    expect(moved.duplicate).toBe(true);
    const next = await publish(client, 3, positionOf(acknowledged.position));
    expect((await laneOf(next.position))?.predecessor).toBe(acknowledged.position?.lane);
    expect(await numbers()).toEqual([1, 2, 3]);
  });

  it("R5: stores once what was under way when the lease was lost", async () => {
    const { client, lose, hold } = await world.holdableIngress();
    await publish(client, 1);
    hold(true);
    const unknown = publish(client, 2);
    await eventually(async () => ((await numbers()).includes(2) ? true : undefined));
    await lose();
    expect(await refusal(unknown)).toMatchObject({ code: "UNKNOWN", reason: "OUTCOME_UNKNOWN" });
    hold(false);
    expect((await publish(client, 2)).duplicate).toBe(true);
    expect((await publish(client, 3)).duplicate).toBe(false);
    expect(await numbers()).toEqual([1, 2, 3]);
  });

  it("I15: says what is wrong with numbers and lanes that a producer names", async () => {
    const { client } = await world.ingress();
    const message = flight("VIE", 1);
    const producer = { id: "tower" };
    const cases: [Parameters<Client["publish"]>[0], string, string][] = [
      [{ stream: RESOURCE, message, producer }, "INVALID_ARGUMENT", "PRODUCER_SEQ_MISSING"],
      [
        { stream: RESOURCE, message: { ...message, producerSeq: 1n } },
        "INVALID_ARGUMENT",
        "PRODUCER_MISSING",
      ],
      [
        {
          stream: RESOURCE,
          message: { ...message, producerSeq: 1n },
          producer: { ...producer, lastLane: "nowhere" },
        },
        "INVALID_ARGUMENT",
        "PRODUCER_LANE_UNKNOWN",
      ],
    ];
    for (const [request, code, reason] of cases)
      expect(await refusal(client.publish(request, { signal: never }))).toMatchObject({ code, reason });
    expect(await numbers()).toEqual([]);
  });

  it("R5: refuses a number that is older than all that it remembers", async () => {
    const { client } = await world.ingress({ producerWindow: 10 });
    for (let number = 1; number <= 30; number += 1) await publish(client, number);
    expect((await publish(client, 25)).duplicate).toBe(true);
    expect(await refusal(publish(client, 5))).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "PRODUCER_SEQ_TOO_OLD",
    });
  });
});
