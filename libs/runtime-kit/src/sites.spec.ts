/** Two sites share a model: each runtime works on the lanes of its own, so that a cut between them stops nothing (I9). */
import type { LaneId } from "@greco/domain/lane";
import type { LaneStore } from "@greco/ports";
import { simulatedClock, type SimulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MODEL } from "./testing/small-model.ts";
import { Stage } from "./testing/stage.ts";

let clock: SimulatedClock;
let stage: Stage;
beforeEach(async () => {
  clock = simulatedClock();
  stage = await Stage.embedded(clock);
});
afterEach(() => stage[Symbol.asyncDispose]());

/** The store as a site sees it: input lanes of the other site's ingress, what comes of them, and its runtimes. */
function seenFrom(own: string, store: LaneStore, siteOf: ReadonlyMap<string, string>): LaneStore {
  const elsewhere = (name: string): { elsewhere?: true } =>
    (siteOf.get(name) ?? own) === own ? {} : { elsewhere: true };
  return new Proxy(store, {
    get(target, name) {
      if (name === "listLanes")
        return async (...args: Parameters<LaneStore["listLanes"]>) =>
          (await store.listLanes(...args)).map((lane) => ({
            ...lane,
            ...elsewhere(lane.info.derived?.inputLane ?? lane.info.id),
          }));
      if (name === "listMembers")
        return async (...args: Parameters<LaneStore["listMembers"]>) =>
          (await store.listMembers(...args)).map((each) => ({ ...each, ...elsewhere(each.runtime) }));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

it("I9: a runtime takes every lane of its own site, none of another's, and keeps them", async () => {
  const { world } = stage;
  const { laneStore } = world.stores;
  await stage.twoHops();
  const { lanes } = await stage.someLanes(8);
  const siteOf = new Map<string, string>(lanes.map(({ id }, at) => [id, at % 2 === 0 ? "east" : "west"]));
  const east = await clock.drive(world.runtime("east", { laneStore: seenFrom("east", laneStore, siteOf) }));
  await stage.feed(lanes, 2, 500);
  // Far longer than a unit that its owner leaves lying is left alone.
  await clock.advance(60_000);
  const claimed = async (): Promise<Map<LaneId, string>> => {
    const claims = await clock.drive(laneStore.listClaims(MODEL, world.signal));
    return new Map(claims.map(({ inputLane, runtime }) => [inputLane, runtime]));
  };
  const ofSite = (wanted: string) => lanes.filter(({ id }) => siteOf.get(id) === wanted).map(({ id }) => id);
  const first = await claimed();
  expect(ofSite("east").map((id) => first.get(id))).toEqual(["east", "east", "east", "east"]);
  expect(ofSite("west").map((id) => first.get(id))).toEqual([undefined, undefined, undefined, undefined]);

  for (const { runtime } of await clock.drive(laneStore.listMembers(MODEL, world.signal)))
    siteOf.set(runtime, "east");
  await clock.drive(world.runtime("west", { laneStore: seenFrom("west", laneStore, siteOf) }));
  await clock.advance(1_000);
  for (const { runtime } of await clock.drive(laneStore.listMembers(MODEL, world.signal)))
    if (!siteOf.has(runtime)) siteOf.set(runtime, "west");
  await stage.feed(lanes, 2, 500, "more");
  await clock.advance(60_000);
  const then = await claimed();
  expect(ofSite("east").map((id) => then.get(id))).toEqual(["east", "east", "east", "east"]);
  expect(ofSite("west").map((id) => then.get(id))).toEqual(["west", "west", "west", "west"]);
  expect((await stage.judge()).problems).toEqual([]);
  await stage.close(east.runner);
});
