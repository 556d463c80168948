import { expect, it } from "vitest";
import { ByteBudget, CallPlaces } from "./shares.ts";
import { Q } from "./testing/model.ts";

it("tells who waits when there is room for bytes again", () => {
  const budget = new ByteBudget(100);
  const told: string[] = [];
  const forget = budget.onRoom(() => told.push("room"));
  budget.add(99);
  expect(budget.hasRoom()).toBe(true);
  budget.add(50);
  expect(budget.hasRoom()).toBe(false);
  budget.add(-10);
  expect(told).toEqual([]);
  budget.add(-60);
  expect(told).toEqual(["room"]);
  forget();
  budget.add(100);
  budget.add(-100);
  expect(told).toEqual(["room"]);
});

it("gives a place that is left to the one who has waited longest", () => {
  const places = new CallPlaces(1);
  const woken: string[] = [];
  places.take(Q);
  expect(places.hasPlace(Q)).toBe(false);
  const first = (): void => void woken.push("first");
  places.wait(Q, first);
  places.wait(Q, () => woken.push("second"));
  places.wait(Q, first);
  places.leave(Q);
  expect(woken).toEqual(["first"]);
  places.take(Q);
  places.leave(Q);
  expect(woken).toEqual(["first", "second"]);
});

it("forgets who does not wait any more", () => {
  const places = new CallPlaces(1);
  const woken: string[] = [];
  const wake = (): void => void woken.push("gone");
  places.take(Q);
  places.wait(Q, wake);
  places.forget(Q, wake);
  places.leave(Q);
  expect(woken).toEqual([]);
  expect(places.hasPlace(Q)).toBe(true);
});

it("passes a place on that is not taken, so that none waits beside a free one", () => {
  const places = new CallPlaces(1);
  const woken: string[] = [];
  places.take(Q);
  places.wait(Q, () => {
    woken.push("needs nothing");
    places.pass(Q);
  });
  places.wait(Q, () => woken.push("needs it"));
  places.leave(Q);
  expect(woken).toEqual(["needs nothing", "needs it"]);
});
