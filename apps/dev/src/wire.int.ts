/** Who calls the control plane, seen at its doors, while messages flow, epochs are switched and runtimes start cold. */
import type { EntityIdentity } from "@greco/domain/model";
import { expect, it } from "vitest";
import type { Call } from "./testing/recording-door.ts";
import { model, query, signal, streams, until, WorldApart } from "./testing/world-apart.ts";

const CONDUCTORS = ["conductor-streams", "conductor-tables", "conductor-worker"];
const REGISTRY = "registry/greco.registry.v1.RegistryService";
const COORDINATOR = "coordinator/greco.conductor.v1";
const COLD_BOOT = `${COORDINATOR}.ColdBootService/RequestBindings`;

/** What a conductor may call: its registration, its answers, and what its own cold boot takes. */
const ANSWERS = ["RegisterConductor", "AnswerCommand"].map(
  (each) => `${COORDINATOR}.ConductorService/${each}`,
);
const COLD = ["ListModels", "Snapshot", "GetCandidateChanges"].map((each) => `${REGISTRY}/${each}`);

const by = (calls: readonly Call[], caller: string): readonly string[] => [
  ...new Set(calls.filter((call) => call.caller === caller).map(({ door, path }) => `${door}${path}`)),
];

async function untilPaid(world: WorldApart, upTo: number): Promise<void> {
  const all = Array.from({ length: upTo }, (_, at) => at + 1);
  await until(async () => {
    const seen = (await world.paid()).map(({ n }) => n);
    expect(seen.toSorted((a, b) => a - b)).toEqual(all);
  });
}

it("I10: ingress and runtime send the control plane nothing but a cold-boot request", async () => {
  await using world = await WorldApart.open();
  await world.commit({ ...streams, "query/pay": query(1) });
  const kill = await world.startRuntime("one");
  await world.publish(1, 2, 3);
  const flowing = world.publish(4, 5, 6, 7);
  const candidate = await world.commit({ "query/pay": query(2) });
  await flowing;
  await world.publish(8);
  await untilPaid(world, 8);
  expect((await world.paid()).find(({ n }) => n === 8)?.factor).toBe(2);
  // Neither what flows, nor a switch, nor a start needs a word with the control plane.
  await kill();
  await world.publish(9);
  const killAgain = await world.startRuntime("two");
  await untilPaid(world, 9);
  expect(by(world.calls, "runtime")).toEqual([]);

  // Where the data plane lacks something, it asks for that, and for nothing else.
  await killAgain();
  const lost = "query/pay@1" as EntityIdentity;
  await world.stores.bindings.deleteBinding(model, lost, candidate, signal);
  await world.publish(10);
  await world.startRuntime("three");
  await untilPaid(world, 10);
  expect(by(world.calls, "runtime")).toEqual([COLD_BOOT]);

  // Everybody who called is known: none was the ingress.
  const callers = new Set(world.calls.map(({ caller }) => caller));
  expect([...callers].toSorted()).toEqual(["admin", ...CONDUCTORS, "coordinator", "runtime"].toSorted());

  // The doors see who calls at all.
  for (const conductor of CONDUCTORS) {
    const seen = by(world.calls, conductor);
    expect(seen).toEqual(expect.arrayContaining([...ANSWERS, `${REGISTRY}/Snapshot`]));
    expect(seen.filter((each) => ![...ANSWERS, ...COLD].includes(each))).toEqual([]);
  }
});
