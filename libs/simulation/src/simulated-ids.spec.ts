import { isSegment } from "@greco/domain/model";
import { expect, it } from "vitest";
import { seededRandom } from "./random.ts";
import { simulatedIds } from "./simulated-ids.ts";

it("makes ids that are names, unique, and sorted by their making", () => {
  const ids = simulatedIds(4_294_967_295);
  const made = Array.from({ length: 1_000 }, () => ids.next());
  expect(made.every(isSegment)).toBe(true);
  expect(new Set(made).size).toBe(1_000);
  expect(made.toSorted()).toEqual(made);
});

it("makes the same ids and the same chance from the same seed, others from another", () => {
  const run = (seed: number): unknown[] => {
    const ids = simulatedIds(seed);
    return [ids.next(), ids.random(), ids.random(), ids.next()];
  };
  expect(run(5)).toEqual(run(5));
  expect(run(5)).not.toEqual(run(6));
});

it("gives a fork a stream of its own", () => {
  const [one, two] = [seededRandom(9), seededRandom(9)];
  const [forked] = [one.fork(), two.fork()];
  for (let draw = 0; draw < 10; draw++) forked.next();
  expect(one.next()).toBe(two.next());
});

it("draws evenly, and shuffles without losing any", () => {
  const random = seededRandom(1);
  const counts = [0, 0, 0, 0];
  for (let draw = 0; draw < 40_000; draw++) counts[random.integer(4)] = (counts[random.integer(4)] ?? 0) + 1;
  expect(Math.min(...counts)).toBeGreaterThan(9_000);
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const shuffled = random.shuffled(numbers);
  expect(shuffled).not.toEqual(numbers);
  expect(shuffled.toSorted((a, b) => a - b)).toEqual(numbers);
});
