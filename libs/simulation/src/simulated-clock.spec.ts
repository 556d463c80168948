import { expect, it } from "vitest";
import { simulatedClock } from "./simulated-clock.ts";

const signal = new AbortController().signal;

it("wakes sleepers in the order of their deadlines, those of one deadline in the order they lay down", async () => {
  const clock = simulatedClock();
  const woken: string[] = [];
  const sleep = (name: string, ms: number) =>
    clock.sleep(ms, signal).then(() => woken.push(`${name}@${clock.monotonicMs()}`));
  const all = [sleep("c", 30), sleep("a", 10), sleep("b", 20), sleep("b2", 20), sleep("now", 0)];
  await clock.advance(20);
  expect(woken).toEqual(["now@0", "a@10", "b@20", "b2@20"]);
  expect([clock.monotonicMs(), clock.sleeping]).toEqual([20, 1]);
  await clock.advance(10);
  await Promise.all(all);
  expect(clock.sleeping).toBe(0);
});

it("sees every turn of a loop that sleeps, at its own time", async () => {
  const clock = simulatedClock();
  const turns: number[] = [];
  const stop = new AbortController();
  const loop = (async () => {
    for (;;) {
      await clock.sleep(1_000, stop.signal);
      turns.push(clock.monotonicMs());
    }
  })();
  await clock.advance(5_500);
  stop.abort(new Error("enough"));
  await expect(loop).rejects.toThrow("enough");
  expect(turns).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
  expect(clock.sleeping).toBe(0);
});

it("rejects a sleep with the signal's reason, before and meanwhile, and leaves nothing behind", async () => {
  const clock = simulatedClock();
  const reason = new Error("given up");
  await expect(clock.sleep(10, AbortSignal.abort(reason))).rejects.toBe(reason);
  const stop = new AbortController();
  const sleeping = clock.sleep(10, stop.signal);
  const other = clock.sleep(10, signal);
  stop.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  expect(clock.sleeping).toBe(1);
  await clock.advance(10);
  await other;
});

it("drives work to its end from sleep to sleep, and through what it waits for between", async () => {
  const clock = simulatedClock();
  const work = (async () => {
    for (let turn = 0; turn < 3; turn++) {
      await clock.sleep(3_600_000, signal);
      for (let turns = 0; turns < 200; turns++) await new Promise((resolve) => setImmediate(resolve));
    }
    return "done";
  })();
  expect(await clock.drive(work)).toBe("done");
  expect(clock.monotonicMs()).toBe(3 * 3_600_000);
  await expect(clock.drive(Promise.reject(new Error("its own")))).rejects.toThrow("its own");
});

it("moves the wall clock with time, and alone when it jumps", async () => {
  const clock = simulatedClock(1_000);
  await clock.advance(500);
  clock.jumpWall(-3_600_000);
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_500 - 3_600_000, 500]);
});
