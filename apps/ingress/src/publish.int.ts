import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { World } from "./testing/world.ts";
import { flight, FLIGHTS, flightsContent, MODEL, never, openWorld, RESOURCE } from "./testing/world.ts";

describe("publishing", () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  it("stores a message in a lane by its key, and says where and in which epoch", async () => {
    await world.commit([{ entity: FLIGHTS, content: flightsContent }]);
    const { client } = await world.ingress();
    const first = await client.publish({ stream: RESOURCE, message: flight("VIE", 1) }, { signal: never });
    const second = await client.publish({ stream: RESOURCE, message: flight("VIE", 2) }, { signal: never });
    expect(first).toMatchObject({ epoch: 1n, currentEpoch: 1n, duplicate: false });
    expect(second.position).toMatchObject({ lane: first.position?.lane, seq: 3n });
    const lanes = await world.laneStore.listLanes(MODEL, { stream: FLIGHTS }, never);
    expect(lanes).toHaveLength(2);
  });
});
