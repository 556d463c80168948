/** A binding is lost in the data plane: a runtime that starts holds, and goes on once its conductor has made it again. */
import type { EntityIdentity } from "@greco/domain/model";
import { expect, it } from "vitest";
import { bands, byBand, model, query, signal, streams, until, WorldApart } from "./testing/world-apart.ts";

const PAY = "query/pay@1" as EntityIdentity;
const BANDS = "table/bands@1" as EntityIdentity;

const requests = (world: WorldApart): number =>
  world.calls.filter(({ path }) => path === "/greco.conductor.v1.ColdBootService/RequestBindings").length;

const untilPaid = (world: WorldApart, expected: readonly (readonly [n: number, factor: number])[]) =>
  until(async () => {
    const seen = (await world.paid()).map(({ n, factor }) => [n, factor]);
    expect(seen).toHaveLength(expected.length);
    expect(seen).toEqual(expect.arrayContaining(expected.map((each) => [...each])));
  });

/** As anybody sees it who looks at the query's lanes. */
const untilHeld = (world: WorldApart) =>
  until(async () => {
    const { lanes } = world.stores;
    const all = await lanes.listLanes(model, {}, signal);
    const inputs = all.filter(({ info }) => info.stream === "stream/flights@1");
    const checkpoints = inputs.map(({ info }) => lanes.readCheckpoints(model, PAY, info.id, signal));
    const held = (await Promise.all(checkpoints)).flat().flatMap((each) => each.holding ?? []);
    expect(held).toContainEqual(expect.stringMatching(/^BINDING_MISSING: .*table\/bands@1/));
  });

it("I12: what is lost is made again by its conductor, the same, and a runtime goes on by itself", async () => {
  await using world = await WorldApart.open();
  await world.commit({ ...streams, "query/pay": query(1) });
  const candidate = await world.commit({ "query/pay": query(2) });
  const before = await world.stores.bindings.getBinding(model, PAY, candidate, signal);
  const kill = await world.startRuntime("one");
  await world.publish(1);
  await untilPaid(world, [[1, 2]]);
  await kill();
  await world.stores.bindings.deleteBinding(model, PAY, candidate, signal);
  await world.publish(2);
  await world.startRuntime("two");
  await untilPaid(world, [
    [1, 2],
    [2, 2],
  ]);
  expect(requests(world)).toBeGreaterThan(0);
  // R6
  expect(before).toBeDefined();
  expect(await world.stores.bindings.getBinding(model, PAY, candidate, signal)).toEqual(before);
});

it("I12: while the control plane is down it holds, and goes on when that is back, without help", async () => {
  await using world = await WorldApart.open();
  const candidate = await world.commit({
    ...streams,
    "table/bands": bands(3),
    "query/pay": byBand,
    "query/other": query(7),
  });
  await world.stopControlPlane();
  await world.stores.bindings.deleteBinding(model, BANDS, candidate, signal);
  await world.publish(1);
  await world.startRuntime("one");
  await untilHeld(world);
  // I9: what lacks nothing flows.
  await untilPaid(world, [[1, 7]]);
  expect(requests(world)).toBe(0);
  await world.startControlPlane();
  await untilPaid(world, [
    [1, 7],
    [1, 3],
  ]);
});
