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
