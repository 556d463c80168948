import { describe, expect, it } from "vitest";
import { gapRatio, median } from "./gaps.ts";

describe("gapRatio", () => {
  const steady = Array.from({ length: 1_000 }, (_, index) => index * 10);

  it("is 1 when the marker holds nothing up", () => {
    expect(gapRatio(steady, 5_000)).toBe(1);
  });
  it("counts a pause at the marker against the usual gap", () => {
    expect(
      gapRatio(
        steady.filter((time) => time < 4_990 || time > 5_050),
        5_000,
      ),
    ).toBe(8);
  });
  it("says nothing when there are too few windows to compare with", () => {
    expect(gapRatio(steady.slice(0, 50), 250)).toBeUndefined();
  });
});

describe("median", () => {
  it("takes the middle, or the mean of the two", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeUndefined();
  });
});
