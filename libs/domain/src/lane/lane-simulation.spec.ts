import { describe, expect, it } from "vitest";
import type { Sabotage } from "./lane-simulation.ts";
import { simulateLane } from "./lane-simulation.ts";

const seeds = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe("a lane in simulation", () => {
  it("I7 I8 R1 R2: loses, reorders and doubles nothing, whoever stops where", () => {
    const failed: string[] = [];
    let acknowledged = 0;
    let sealed = 0;
    for (const seed of seeds(400)) {
      const result = simulateLane(seed);
      acknowledged += result.acknowledged;
      sealed += result.sealed ? 1 : 0;
      failed.push(...result.violations.map((violation) => `seed ${seed}: ${violation}`));
    }
    expect(failed).toEqual([]);
    // It would prove nothing if nothing happened.
    expect(acknowledged).toBeGreaterThan(1000);
    expect(sealed).toBeGreaterThan(100);
  });

  const sabotages: readonly Sabotage[] = [
    "acknowledge-without-the-prefix",
    "ask-the-lease-before-the-answer",
    "count-the-lease-from-the-answer",
    "renew-a-lapsed-lease",
    "other-rows-after-an-unknown-outcome",
    "seal-too-soon",
    "read-the-tail-before-the-waits",
    "read-the-tail-weakly",
    "read-on-while-it-is-sealed",
    "markers-out-of-order",
  ];
  it.each(sabotages)("notices: %s", (sabotage) => {
    expect(seeds(2000).some((seed) => simulateLane(seed, sabotage).violations.length > 0)).toBe(true);
  });
});
