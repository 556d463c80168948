import { expect, it } from "vitest";
import { durationText, parseDuration, timeText, toDuration } from "./times.ts";

it("reads times with their unit, and nothing else", () => {
  expect(["500ms", "30s", "1.5m", "2h", "7d"].map((text) => parseDuration(text, "--timeout"))).toEqual([
    500, 30_000, 90_000, 7_200_000, 604_800_000,
  ]);
  for (const text of ["", "10", "10 m", "-1s", "1e3s", "10min", "1h30m"])
    expect(() => parseDuration(text, "--timeout")).toThrow(
      `--timeout must be a time like 500ms, 30s, 10m, 2h or 7d; got '${text}'`,
    );
});

it("writes durations by their two largest units", () => {
  const texts = [0, 400, 9_940, 12_300, 59_600, 60_000, 598_000, 7_500_000, 86_400_000, 93_600_000];
  expect(texts.map((ms) => durationText(toDuration(ms)))).toEqual([
    ...["0s", "0.4s", "9.9s", "12s", "1m", "1m", "9m58s", "2h5m", "1d", "1d2h"],
  ]);
  expect(durationText(undefined)).toBe("");
});

it("writes times in UTC to the second", () => {
  expect(timeText({ seconds: 1_700_000_000n, nanos: 999_000_000 })).toBe("2023-11-14T22:13:20Z");
  expect(timeText(undefined)).toBe("");
});
