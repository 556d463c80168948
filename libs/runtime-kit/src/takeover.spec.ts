/** Who takes over may know less than who had it before: what was written is found all the same, and nothing is done twice. */
import type { Epoch } from "@greco/domain/model";
import type { BindingStore, LaneStore } from "@greco/ports";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MODEL } from "./testing/small-model.ts";
import { Stage } from "./testing/stage.ts";
import type { TestRuntime, World } from "./testing/world.ts";

let clock: SimulatedClock;
let stage: Stage;
let world: World;
/** What the second runtime sees of the stores ends here. */
let seesUpTo = Number.POSITIVE_INFINITY;

beforeEach(async () => {
  clock = simulatedClock();
  stage = await Stage.embedded(clock);
  ({ world } = stage);
  seesUpTo = Number.POSITIVE_INFINITY;
});
afterEach(() => stage[Symbol.asyncDispose]());

const run = <T>(work: Promise<T>): Promise<T> => clock.drive(work);

function overriding<T extends object>(store: T, overrides: Partial<T>): T {
  return new Proxy(store, {
    get(target, name) {
      if (name in overrides) return overrides[name as keyof T];
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function withoutBindings(store: BindingStore): BindingStore {
  return overriding<BindingStore>(store, {
    getBinding: async (model, entity, candidate, signal) =>
      Number(candidate.slice(1)) > seesUpTo ? undefined : store.getBinding(model, entity, candidate, signal),
  });
}

function withoutLedger(store: LaneStore): LaneStore {
  return overriding<LaneStore>(store, {
    async readLedger(model, after: Epoch, limit, signal) {
      const entries = await store.readLedger(model, after, limit, signal);
      return entries.filter(({ epoch }) => epoch <= seesUpTo);
    },
  });
}

/** From s to t at epoch 1, from s to u from epoch 2 on, which only the first of two runtimes sees. */
async function turnedAside(second: () => Promise<TestRuntime>): Promise<TestRuntime> {
  const { model, signal } = world;
  const streams = { s: {}, t: {}, u: {} };
  await run(model.commit({ streams, queries: { a: { from: "s", to: "t", v: 1 } } }, signal));
  const { lanes } = await stage.someLanes(6);
  const first = await run(world.runtime("r1"));
  await run(second());
  await stage.feed(lanes, 3, 500, "old");
  seesUpTo = 1;
  await run(model.commit({ queries: { a: { from: "s", to: "u", v: 2 } } }, signal));
  await clock.advance(1_000);
  await stage.feed(lanes, 3, 500, "new");
  // Those of the first runtime, and none of the other's.
  const written = (await stage.textsOf("u")).length;
  expect(written).toBeGreaterThan(0);
  expect(written).toBeLessThan(18);
  return first;
}

async function expectOnce(): Promise<void> {
  seesUpTo = Number.POSITIVE_INFINITY;
  await clock.advance(10_000);
  const { problems } = await stage.judge();
  expect(problems).toEqual([]);
  expect(await stage.textsOf("t")).toHaveLength(18);
  expect(await stage.textsOf("u")).toHaveLength(18);
}

/** Why who has a lane does not go on, as the store shows it. */
async function holdings(): Promise<readonly string[]> {
  const { laneStore } = world.stores;
  const claims = await run(laneStore.listClaims(MODEL, world.signal));
  const found = claims.map(async ({ query, inputLane, writer }) => {
    const checkpoints = await laneStore.readCheckpoints(MODEL, query, inputLane, world.signal);
    return checkpoints.flatMap((each) => (each.writer === writer ? (each.holding ?? []) : []));
  });
  return (await run(Promise.all(found))).flat();
}

it.each(["killed", "stopped"])(
  "I8: does nothing again that a %s runtime did under a binding which the next one lacks",
  async (how) => {
    const bindingStore = withoutBindings(world.stores.bindingStore);
    const first = await turnedAside(() => world.runtime("r2", { bindingStore }));
    await (how === "killed" ? first.kill() : stage.close(first.runner));
    await clock.advance(10_000);
    // I12: and says so, in the lanes that it had and in those that it took over.
    const held = await holdings();
    expect(held).toHaveLength(6);
    for (const reason of held) expect(reason).toMatch(/^BINDING_MISSING: /);
    await expectOnce();
    expect(await holdings()).toEqual([]);
  },
);

it("I8: nor what one did at an epoch which the next one's ledger does not show yet", async () => {
  const laneStore = withoutLedger(world.stores.laneStore);
  const first = await turnedAside(() => world.runtime("r2", { laneStore }));
  await first.kill();
  await clock.advance(10_000);
  await expectOnce();
});
