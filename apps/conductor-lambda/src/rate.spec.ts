import { simulatedClock } from "@greco/simulation";
import { describe, expect, it } from "vitest";
import { jitteredMs, TokenBucket } from "./rate.ts";

const { signal } = new AbortController();

describe("a bucket", () => {
  it("gives at its rate, to whoever asked first", async () => {
    const clock = simulatedClock();
    const bucket = new TokenBucket(clock, 10);
    const given: string[] = [];
    const all = Array.from({ length: 30 }, async (_, at) => {
      await bucket.take("first", signal);
      given.push(`${at} at ${Math.round(clock.monotonicMs())}`);
    });
    await clock.drive(Promise.all(all));
    expect(given).toEqual(Array.from({ length: 30 }, (_, at) => `${at} at ${at * 100}`));
    expect(clock.sleeping).toBe(0);
  });

  it("saves nothing up while nobody asks", async () => {
    const clock = simulatedClock();
    const bucket = new TokenBucket(clock, 10);
    await bucket.take("first", signal);
    await clock.advance(10_000);
    const began = clock.monotonicMs();
    await clock.drive(
      Promise.all([bucket.take("first", signal), bucket.take("first", signal), bucket.take("first", signal)]),
    );
    expect(clock.monotonicMs() - began).toBe(200);
  });

  it("lets those go first whose candidate waits, and the others not wait for ever", async () => {
    const clock = simulatedClock();
    const bucket = new TokenBucket(clock, 10);
    await bucket.take("first", signal);
    const given: string[] = [];
    const some = (urgency: "first" | "later", count: number): Promise<void>[] =>
      Array.from({ length: count }, async () => {
        await bucket.take(urgency, signal);
        given.push(urgency);
      });
    await clock.drive(Promise.all([...some("later", 3), ...some("first", 7)]));
    expect(given.filter((each) => each === "later")).toHaveLength(3);
    expect(given.slice(0, 8).filter((each) => each === "later")).toHaveLength(2);
  });

  it("gives the turn of who gives up to the next, and leaves no timer behind", async () => {
    const clock = simulatedClock();
    const bucket = new TokenBucket(clock, 10);
    await bucket.take("first", signal);
    const impatient = new AbortController();
    const reason = new Error("no longer");
    const left = bucket.take("first", impatient.signal);
    const stays = bucket.take("first", signal).then(() => clock.monotonicMs());
    impatient.abort(reason);
    await expect(left).rejects.toBe(reason);
    expect(await clock.drive(stays)).toBe(100);
    const alone = bucket.take("first", impatient.signal);
    await expect(alone).rejects.toBe(reason);
    const last = new AbortController();
    const waits = bucket.take("first", last.signal);
    last.abort(reason);
    await expect(waits).rejects.toBe(reason);
    await clock.advance(0);
    expect(clock.sleeping).toBe(0);
    expect(bucket.waiting).toBe(0);
    // The next who comes is not stuck behind the one who left.
    await clock.drive(bucket.take("first", signal));
  });
});

it("jitters in full between nothing and the doubled pause, up to the longest", () => {
  const pauses = { minMs: 100, maxMs: 1_000 };
  expect(jitteredMs(pauses, 0, { random: () => 0 })).toBe(0);
  expect(jitteredMs(pauses, 0, { random: () => 1 })).toBe(100);
  expect(jitteredMs(pauses, 3, { random: () => 0.5 })).toBe(400);
  expect(jitteredMs(pauses, 1_000, { random: () => 1 })).toBe(1_000);
});
