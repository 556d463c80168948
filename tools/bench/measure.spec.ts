import { expect, it } from "vitest";
import { interleaved, show, spread } from "./measure.ts";

it("gives the median and the spread of what was measured", () => {
  expect(spread([3, 1, 2])).toEqual({ count: 3, median: 2, p10: 1.2, p90: 2.8, min: 1, max: 3 });
});

it("refuses to summarize nothing", () => {
  expect(() => spread([])).toThrow("nothing was measured");
});

it("compares pair by pair, so a slow spell that hits both leaves the ratio alone", async () => {
  const slow = (index: number): number => (index > 2 ? 100 : 1);
  const { ratio } = await interleaved(6, { a: (index) => 2 * slow(index), b: slow });
  expect([ratio.min, ratio.max]).toEqual([2, 2]);
});

it("turns the order round with each pair", async () => {
  const order: string[] = [];
  const note = (name: string) => (): number => order.push(name);
  await interleaved(2, { a: note("a"), b: note("b"), warmups: 0 });
  expect(order.join("")).toBe("abba");
});

it("shows the median with its spread", () => {
  expect(show(spread([1, 1.2345, 2]), " ms")).toBe("1.23 ms (p10 1.05 ms, p90 1.85 ms, n 3)");
});
