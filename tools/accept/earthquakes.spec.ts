import { expect, it } from "vitest";
import { alertByHand, type Earthquake, mistakesByHand } from "./earthquakes.ts";

const quake = (id: string, mag: number | null): Earthquake => ({
  id,
  properties: { mag, place: "here", felt: null, cdi: null },
  geometry: { coordinates: [1, 2, 3] },
});
const line = (version: 1 | 2, of: Earthquake) => ({
  epoch: version + 1,
  output: alertByHand(version, of) as { id: string },
});
const strong = quake("strong", 2);
const weak = quake("weak", 0.7);
const all = [strong, weak, quake("none", null)];

it("takes what each version gives", () => {
  expect(mistakesByHand(all, [line(1, strong), line(2, weak)], 3)).toEqual([]);
  expect(mistakesByHand(all, [line(2, strong), line(2, weak)], 3)).toEqual([]);
});

it("notices a result of the other version, one that should not be, a missing one and a second one", () => {
  const other = { ...line(1, strong), epoch: 3 };
  expect(mistakesByHand(all, [other, line(2, weak)], 3)).toEqual([expect.stringContaining("by hand")]);
  const early = { ...line(2, weak), epoch: 2 };
  expect(mistakesByHand(all, [line(1, strong), early], 3)).toEqual([expect.stringContaining("by hand")]);
  expect(mistakesByHand(all, [line(2, weak)], 3)).toEqual(["strong is missing"]);
  expect(mistakesByHand(all, [line(1, strong), line(1, strong), line(2, weak)], 3)).toEqual([
    "strong comes twice",
  ]);
  expect(mistakesByHand(all, [line(1, strong)], 3)).toEqual([
    "nothing is there that version 2 alone alerts of",
  ]);
});
