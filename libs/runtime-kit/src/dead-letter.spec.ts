import { seq } from "@greco/domain/lane";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MODEL } from "./testing/small-model.ts";
import { Stage } from "./testing/stage.ts";
import type { World } from "./testing/world.ts";

let clock: SimulatedClock;
let stage: Stage;
let world: World;

beforeEach(async () => {
  clock = simulatedClock();
  stage = await Stage.embedded(clock);
  ({ world } = stage);
});
afterEach(() => stage[Symbol.asyncDispose]());

const run = <T>(work: Promise<T>): Promise<T> => clock.drive(work);

describe("inputs that fail", () => {
  it("go to the dead letters after bounded retries, and the lane goes on", async () => {
    const a = { from: "s", to: "t", v: 1, onError: { retries: 2, then: "dead-letter" as const } };
    await run(world.model.commit({ streams: { s: {}, t: {} }, queries: { a } }, world.signal));
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { runner, host } = await run(world.runtime("r"));
    await run(world.publish(lane, "m1", "m2!busy", "m3!bad", "m4"));
    await clock.advance(2_000);
    expect(await stage.textsOf("t")).toEqual(["a.v1(m1)#0", "a.v1(m4)#0"]);
    const letters = (await stage.deadLetters()) as { seq: number; attempts: number; reason: string }[];
    expect(letters.map(({ seq, attempts, reason }) => [seq, attempts, reason])).toEqual([
      [3, 3, "BUSY"],
      [4, 1, "BAD"],
    ]);
    expect(host.calls.filter(({ inputs }) => inputs.includes("m2!busy"))).toHaveLength(3);
    expect(runner.status().counts).toMatchObject({ deadLetters: 2, retries: 2, outputs: 2 });
  });

  it("are given up by hand while their call hangs, and never called again after a restart", async () => {
    await run(
      world.model.commit(
        { streams: { s: {}, t: {} }, queries: { a: { from: "s", to: "t", v: 1 } } },
        world.signal,
      ),
    );
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const first = await run(world.runtime("r1"));
    first.host.delay = (_program, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    await run(world.publish(lane, "poison"));
    await clock.advance(500);
    const query = world.model.identity("query", "a");
    const order = { query, lane: lane.id, seq: seq(2), actor: "ann", reason: "hangs" };
    await run(world.stores.laneStore.putDeadLetterOrder(MODEL, order, world.signal));
    await clock.advance(1_000);
    expect(await stage.deadLetters()).toMatchObject([
      { seq: 2, by: "ann", reason: "GIVEN_UP", message: "hangs" },
    ]);
    await first.kill();
    const second = await run(world.runtime("r2"));
    await run(world.publish(lane, "m2"));
    await clock.advance(15_000);
    expect(second.host.calls).toEqual([{ program: "a.v1", inputs: ["m2"] }]);
  });

  it("of a slow query do not stop the others", async () => {
    const queries = { a: { from: "s", to: "t", v: 1 }, slow: { from: "s", to: "u", v: 1 } };
    await run(world.model.commit({ streams: { s: {}, t: {}, u: {} }, queries }, world.signal));
    const writer = await run(world.source("ingress"));
    const lane = await run(world.openLane(writer, "s"));
    const { host } = await run(world.runtime("r"));
    host.delay = (program, signal) =>
      program.startsWith("slow") ? clock.sleep(60_000, signal) : Promise.resolve();
    for (let at = 0; at < 30; at++) {
      await run(world.publish(lane, `m${at}`));
      await clock.advance(50);
    }
    await clock.advance(500);
    expect(await stage.textsOf("t")).toHaveLength(30);
    expect(await stage.textsOf("u")).toHaveLength(0);
  });
});
