import type { SubscribeRequestSchema } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { Entry_Kind } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LaneInfo } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
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
  RESOURCE,
} from "./testing/world.ts";

type Client = Awaited<ReturnType<World["ingress"]>>["client"];
type Seen = { readonly lane: string; readonly seq: number; readonly what: string };

const one = { ...flightsContent, lanes: 1 };

describe("subscribing", () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
    await world.commit([{ entity: FLIGHTS, content: one }]);
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const publish = (client: Client, delay: number) =>
    client.publish({ stream: RESOURCE, message: flight("VIE", delay) }, { signal: never });

  function subscribe(
    client: Client,
    request: Omit<MessageInitShape<typeof SubscribeRequestSchema>, "$typeName" | "stream">,
    signal = never,
  ) {
    const seen: Seen[] = [];
    const done = (async () => {
      for await (const { entries } of client.subscribe({ stream: RESOURCE, ...request }, { signal }))
        for (const { position, kind, epoch, payload } of entries) {
          const text = kind === Entry_Kind.DATA ? JSON.parse(new TextDecoder().decode(payload)).delay : epoch;
          const what = `${kind === Entry_Kind.DATA ? "" : kind === Entry_Kind.MARKER ? "E" : "end of E"}${text}`;
          seen.push({ lane: position?.lane ?? "", seq: Number(position?.seq), what });
        }
    })();
    done.catch(() => undefined);
    return { seen, done, what: () => seen.map((each) => each.what) };
  }
  const bounded = async (client: Client, request: Parameters<typeof subscribe>[1]) => {
    const subscription = subscribe(client, { ...request, bounded: true });
    await subscription.done;
    return subscription.what();
  };

  it("delivers what is retained, markers as such, and stops at the present end when it is bounded", async () => {
    const { client } = await world.ingress();
    await publish(client, 1);
    await world.commit([{ entity: FLIGHTS, content: { ...one, key: "delay" } }]);
    const two = { stream: RESOURCE, message: flight("VIE", 2), atLeastEpoch: 2n };
    const { position } = await client.publish(two, { signal: never });
    const lane = position?.lane ?? "";
    expect(await bounded(client, {})).toEqual(["E1", "1", "E2", "2"]);
    expect(await bounded(client, { start: { case: "end", value: true } })).toEqual([]);
    expect(await bounded(client, { start: { case: "epoch", value: 2n } })).toEqual(["E2", "2"]);
    expect(await bounded(client, { start: { case: "epoch", value: 3n } })).toEqual([]);
    const positions = (at: bigint) => ({
      start: { case: "positions" as const, value: { positions: [{ lane, seq: at }] } },
    });
    expect(await bounded(client, positions(2n))).toEqual(["E2", "2"]);
    expect(await bounded(client, positions(4n))).toEqual([]);
    await expect(bounded(client, positions(5n))).rejects.toMatchObject({
      code: "OUT_OF_RANGE",
      reason: "POSITION_AHEAD",
    });
    const unknown = { start: { case: "positions" as const, value: { positions: [{ lane: "x", seq: 1n }] } } };
    await expect(bounded(client, unknown)).rejects.toMatchObject({
      code: "NOT_FOUND",
      reason: "UNKNOWN_LANE",
    });
  });

  it("follows what comes, in lanes that appear later too, and delivers the ends", async () => {
    const { client } = await world.ingress();
    await publish(client, 1);
    const stop = new AbortController();
    const all = subscribe(client, {}, stop.signal);
    const later = subscribe(client, { start: { case: "end", value: true } }, stop.signal);
    await eventually(async () => (all.seen.length === 2 ? true : undefined));
    const { running: other, client: otherClient } = await world.ingress({ name: "other" });
    await publish(otherClient, 2);
    await other[Symbol.asyncDispose]();
    await publish(client, 3);
    const isThere = (): boolean => ["3", "end of E1"].every((each) => all.what().includes(each));
    await eventually(async () => (isThere() ? true : undefined));
    const messages = all.what().filter((each) => !each.includes("E1"));
    expect(messages.toSorted()).toEqual(["1", "2", "3"]);
    await eventually(async () => (later.what().includes("3") ? true : undefined));
    expect(later.what()).not.toContain("1");
    stop.abort();
    await Promise.allSettled([all.done, later.done]);
  });

  it("delivers nothing older than the epoch asked for, from lanes that appear later either", async () => {
    const { client } = await world.ingress();
    await publish(client, 1);
    const stop = new AbortController();
    const all = subscribe(client, {}, stop.signal);
    const later = subscribe(client, { start: { case: "epoch", value: 2n } }, stop.signal);
    await eventually(async () => (all.seen.length === 2 ? true : undefined));
    const { client: otherClient } = await world.ingress({ name: "other" });
    await publish(otherClient, 2);
    await eventually(async () => (all.what().includes("2") ? true : undefined));
    await world.commit([{ entity: FLIGHTS, content: { ...one, key: "delay" } }]);
    for (const each of [client, otherClient]) {
      const message = { stream: RESOURCE, message: flight("VIE", 3), atLeastEpoch: 2n };
      await each.publish(message, { signal: never });
    }
    await eventually(async () => (later.seen.length === 4 ? true : undefined));
    expect(later.what().toSorted()).toEqual(["3", "3", "E2", "E2"]);
    stop.abort();
    await Promise.allSettled([all.done, later.done]);
  });

  it("R5: delivers lanes behind all that were opened together with the one that they continue", async () => {
    const info = (
      id: string,
      group: string,
      index: number,
      size: number,
      predecessor?: string,
    ): LaneInfo => ({
      id: laneId(id),
      model: MODEL,
      stream: FLIGHTS,
      writer: writerId("w"),
      registeredAtMs: 0,
      group: { id: group, index, size },
      ...(predecessor === undefined ? {} : { predecessor: laneId(predecessor) }),
    });
    const lease = await world.laneStore.createLease(MODEL, writerId("w"), never);
    expect(lease.state).toBe("held");
    const lanes = [
      info("z-first", "g1", 0, 2),
      info("b-second", "g1", 1, 2),
      info("a-third", "g2", 0, 1, "z-first"),
      // Taken over: it goes on where the first ended, beside the second.
      info("z-first-again", "g1", 0, 2, "z-first"),
    ];
    for (const lane of lanes) {
      await world.laneStore.registerLane(lane, never);
      const marker = { kind: "marker" as const, seq: seq(1), epoch: epoch(1), appendedAtMs: 0 };
      await world.laneStore.append(MODEL, [{ lane: lane.id, entries: [marker] }], never);
    }
    await world.laneStore.endLane(MODEL, laneId("z-first"), seq(1), never);
    const { client } = await world.ingress({ leaseMs: 60_000 });
    const stop = new AbortController();
    const all = subscribe(client, {}, stop.signal);
    await eventually(async () => (all.seen.length === 4 ? true : undefined));
    await world.laneStore.endLane(MODEL, laneId("b-second"), seq(1), never);
    await world.laneStore.endLane(MODEL, laneId("z-first-again"), seq(1), never);
    await eventually(async () => (all.seen.length === 7 ? true : undefined));
    expect(all.seen.at(-1)).toMatchObject({ lane: "a-third" });
    expect(all.seen.slice(0, -1).map(({ lane }) => lane)).not.toContain("a-third");
    stop.abort();
    await Promise.allSettled([all.done]);
  });

  it("R5: delivers a lane that continues another behind it", async () => {
    const { client } = await world.ingress();
    const { position } = await publish(client, 1);
    const stop = new AbortController();
    const all = subscribe(client, {}, stop.signal);
    await world.laneStore.requestClose(MODEL, (position?.lane ?? "") as never, never);
    // The writer sees the request at its next renewal, however many messages fit before it.
    let last = 1;
    await eventually(async () => {
      last += 1;
      const answer = await publish(client, last);
      return answer.position?.lane === position?.lane ? undefined : true;
    });
    await eventually(async () => (all.what().includes(`${last}`) ? true : undefined));
    const [first, second] = [...new Set(all.seen.map(({ lane }) => lane))];
    expect(second).toBeDefined();
    const lanes = all.seen.map(({ lane }) => lane);
    expect(lanes.lastIndexOf(first ?? "")).toBeLessThan(lanes.indexOf(second ?? ""));
    const delays = all.what().filter((what) => /^\d+$/.test(what));
    expect(delays).toEqual(Array.from({ length: last }, (_, index) => `${index + 1}`));
    stop.abort();
    await Promise.allSettled([all.done]);
  });

  it("ends when the stream is removed and all is delivered", async () => {
    const { client } = await world.ingress();
    await publish(client, 1);
    const all = subscribe(client, {});
    await eventually(async () => (all.seen.length === 2 ? true : undefined));
    await world.commit([{ entity: FLIGHTS }]);
    await all.done;
    expect(all.what()).toEqual(["E1", "1", "E2", "end of E2"]);
  });

  it("R3: says so when what is asked for is below retention", async () => {
    const { client } = await world.ingress();
    let last;
    for (let delay = 1; delay <= 5; delay += 1) last = await publish(client, delay);
    const lane = last?.position?.lane ?? "";
    await world.laneStore.trim(MODEL, lane as never, seq(4), never);
    const below = { start: { case: "positions" as const, value: { positions: [{ lane, seq: 1n }] } } };
    await expect(bounded(client, below)).rejects.toMatchObject({
      code: "OUT_OF_RANGE",
      reason: "BELOW_RETENTION",
      metadata: { firstRetained: "4" },
    });
    await expect(bounded(client, { start: { case: "epoch", value: 1n } })).rejects.toMatchObject({
      code: "OUT_OF_RANGE",
      reason: "BELOW_RETENTION",
    });
    expect(await bounded(client, {})).toEqual(["3", "4", "5"]);
  });

  it("lets a slow subscriber slow itself alone", async () => {
    const { client, running } = await world.ingress();
    const big = {
      payload: new TextEncoder().encode(JSON.stringify({ origin: "x".repeat(100_000), delay: 1 })),
    };
    const stop = new AbortController();
    const slow = world
      .client(running.address)
      .subscribe({ stream: RESOURCE, window: 10 }, { signal: stop.signal })
      [Symbol.asyncIterator]();
    await publish(client, 0);
    let entries = (await slow.next()).value?.entries.length ?? 0;
    for (let delay = 0; delay < 100; delay += 1)
      await client.publish({ stream: RESOURCE, message: big }, { signal: never });
    expect(await bounded(client, {})).toHaveLength(102);
    while (entries < 102) entries += (await slow.next()).value?.entries.length ?? 1000;
    expect(entries).toBe(102);
    stop.abort();
    await Promise.allSettled([slow.return?.()]);
  });
});
