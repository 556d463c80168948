// A small pipeline on Cassandra with a real clock: epochs in-band along two hops, a runtime killed, another taking over.
import { setTimeout as sleep } from "node:timers/promises";
import { openCassandraBindingStore, openCassandraLaneStore } from "@greco/adapter-cassandra";
import { realClock, testKeyspace } from "@greco/adapter-cassandra/testing";
import { createEmbeddedWake } from "@greco/adapter-embedded";
import { afterAll, beforeAll, expect, it } from "vitest";
import { servers } from "../../../tools/servers/for-tests.ts";
import { Stage } from "./testing/stage.ts";

/** A busy machine must not make a runtime lose it; a takeover takes four and more. */
const LEASE_MS = 4_000;
const WITHIN = { timeout: 90_000, interval: 200 };

const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
let stage: Stage;
let next = 0;

beforeAll(async () => {
  const cluster = stack.use(await servers.cassandra({}, never));
  const keyspace = stack.use(await testKeyspace(cluster.addresses, 1));
  stage = stack.use(
    new Stage({
      laneStore: await openCassandraLaneStore(keyspace, never),
      bindingStore: await openCassandraBindingStore(keyspace, never),
      wake: createEmbeddedWake(),
      ids: { next: () => `id-${++next}`, random: () => 0.5 },
      clock: { ...realClock, drive: (work) => work, advance: () => sleep(50) },
      leaseMs: LEASE_MS,
    }),
  );
});
afterAll(() => stack.disposeAsync());

const texts = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index}`);

it("I6, I7, I8: each message takes effect once, under its epoch, though the runtime is killed between two of them", async () => {
  const { world } = stage;
  await stage.twoHops();
  const writer = await world.source("ingress");
  const lanes = [await world.openLane(writer, "s"), await world.openLane(writer, "s")] as const;
  const dying = await world.runtime("dies");
  let published = 0;
  const publish = async (name: string, count: number): Promise<void> => {
    for (const lane of lanes) await world.publish(lane, ...texts(name, count));
    published += lanes.length * count;
  };
  const arrived = async (): Promise<number> => (await stage.textsOf("u")).length;

  await publish("before", 50);
  await expect.poll(arrived, WITHIN).toBe(published);
  const v2 = { a: { from: "s", to: "t", v: 2 }, b: { from: "t", to: "u", v: 2 } };
  await Promise.all([publish("amid", 50), world.model.commit({ queries: v2 }, world.signal)]);
  await publish("after", 50);
  await expect.poll(arrived, WITHIN).toBeGreaterThan(published - 50);
  await dying.kill();
  await world.model.commit({ queries: { b: { from: "t", to: "u", v: 3 } } }, world.signal);
  await publish("taken-over", 50);
  const { runner } = await world.runtime("takes-over");
  await expect.poll(arrived, WITHIN).toBe(published);
  await publish("last", 20);
  await stage.close(writer);
  await expect.poll(() => runner.status().units, WITHIN).toEqual([]);

  const { problems, judged } = await stage.judge();
  expect(problems).toEqual([]);
  expect(judged).toBe(2 * published);
  expect(await stage.textsOf("u")).toContain("b.v3(a.v2(last19)#0)#0");
  await stage.close(runner);
});
