import { isSegment } from "@greco/domain/model";
import { expect, it } from "vitest";
import { createIds, systemIds } from "./ids.ts";

it("makes ids that may stand in names, and that sort by time, in one millisecond and when the clock goes back", () => {
  let nowMs = 1_700_000_000_000;
  const ids = createIds({ nowMs: () => nowMs });
  const made: string[] = [];
  for (const step of [0, 1, 0, -5_000, 0, 5_001, 1_000_000_000_000]) {
    nowMs += step;
    for (let i = 0; i < 1_000; i += 1) made.push(ids.next());
  }
  expect(made.every(isSegment)).toBe(true);
  expect(new Set(made).size).toBe(made.length);
  expect(made.toSorted()).toEqual(made);
});

it("does not repeat across sources", () => {
  const nowMs = () => 1_700_000_000_000;
  const ids = Array.from({ length: 1_000 }, () => createIds({ nowMs }).next());
  expect(new Set(ids).size).toBe(ids.length);
  expect(systemIds.next() < systemIds.next()).toBe(true);
});
