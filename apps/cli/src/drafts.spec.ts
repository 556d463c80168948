import { expect, it } from "vitest";
import { callsOf, type Change } from "./drafts.ts";

const change = (name: string, bytes: number): Change => ({
  entity: `models/m/entities/table/${name}`,
  action: { case: "putSpecJson", value: "x".repeat(bytes) },
});

it("sends changes in calls that stay below the message limit, in order and none twice", () => {
  const changes = Array.from({ length: 5 }, (_, index) => change(`t${index}`, 900_000));
  const calls = callsOf(changes);
  expect(calls.map((call) => call.length)).toEqual([2, 2, 1]);
  expect(calls.flat()).toEqual(changes);
});

it("sends at most two thousand small ones at once, and no call for none", () => {
  expect(
    callsOf(Array.from({ length: 4_500 }, (_, n) => change(`t${n}`, 10))).map((call) => call.length),
  ).toEqual([2_000, 2_000, 500]);
  expect(callsOf([])).toEqual([]);
});

it("sends one that is too large by itself, for the registry to refuse precisely", () => {
  expect(
    callsOf([change("a", 10), change("b", 3_000_000), change("c", 10)]).map((call) => call.length),
  ).toEqual([1, 1, 1]);
});
