import { systemClock, systemIds } from "@greco/service-kit";
import { trustingAuthority } from "@greco/service-kit/testing";
import { describe, expect, it } from "vitest";
import { INGRESS_LIMITS } from "./limits.ts";
import { openModelHost } from "./model-host.ts";
import type { IngressContext } from "./options.ts";
import { Publisher } from "./publisher.ts";
import {
  flight,
  FLIGHTS,
  flightsContent,
  LEASE_MS,
  MODEL,
  never,
  openWorld,
  RESOURCE,
  silentLog,
} from "./testing/world.ts";

async function openScene(limits: Partial<IngressContext["limits"]>) {
  await using opened = new AsyncDisposableStack();
  const world = opened.use(await openWorld());
  await world.commit([{ entity: FLIGHTS, content: flightsContent }]);
  const { laneStore, bindingStore, wake } = world;
  const context: IngressContext = {
    laneStore,
    bindingStore,
    wake,
    clock: systemClock,
    ids: systemIds,
    log: silentLog,
    authority: trustingAuthority(),
    limits: { ...INGRESS_LIMITS, leaseMs: LEASE_MS, pollMs: 50, ...limits },
    name: "ingress",
    operators: new Set(),
    failpoint: () => Promise.resolve(),
  };
  const host = opened.use(await openModelHost(context, MODEL, never));
  const publisher = new Publisher(context, { get: () => Promise.resolve(host) });
  const resources = opened.move();
  const publish = async (id: string, payload: Uint8Array, lastLane = "") => {
    const message = { payload, key: "", producerSeq: 1, field: "message" };
    const producer = { id, lastLane, lastSeq: 0 };
    const order = { stream: RESOURCE, messages: [message], atLeastEpoch: 0, producer };
    return (await publisher.admit(order, "ada", never))[0];
  };
  return { host, publish, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

describe("what is remembered of producers", () => {
  it("R5: nothing of one that has stored nothing", async () => {
    await using scene = await openScene({});
    const { host, publish } = scene;
    const bad = new TextEncoder().encode('{"nope":1}');
    for (let each = 0; each < 20; each += 1) {
      expect(await publish(`bad-${each}`, bad)).toMatchObject({ reason: "PAYLOAD_INVALID" });
      expect(await publish(`lost-${each}`, flight("VIE", 1).payload, "nowhere")).toMatchObject({
        reason: "PRODUCER_LANE_UNKNOWN",
      });
    }
    expect(host.producers.size).toBe(0);
  });

  it("R5: no more of them than the limit; one that is forgotten is looked up by the lane that it names", async () => {
    await using scene = await openScene({ producers: 10 });
    const { host, publish } = scene;
    const first = await publish("tower-0", flight("VIE", 0).payload);
    for (let each = 1; each < 50; each += 1) await publish(`tower-${each}`, flight("VIE", each).payload);
    expect(host.producers.size).toBeLessThanOrEqual(10);
    const lane = first !== undefined && "place" in first ? first.place.lane : "";
    expect(await publish("tower-0", flight("VIE", 0).payload, lane)).toMatchObject({ duplicate: true });
  });
});
