import { ColdBootService } from "@greco/contracts/greco/conductor/v1/cold_boot";
import { modelId } from "@greco/domain/model";
import { simulatedClock } from "@greco/simulation";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Repairs } from "./repairs.ts";
import { bystander } from "./testing/conductor.ts";
import { errorOf, eventually, options, World } from "./testing/world.ts";

const of = (entity: string, candidate = "c1") => ({ entity, candidate });

describe("what is passed on", () => {
  const m = modelId("m");
  it("the same binding again only when a repair had its time", async () => {
    const clock = simulatedClock();
    const repairs = new Repairs(clock, { repairEveryMs: 100, repairsMax: 10 });
    const lost = [of("query/a@1"), of("query/a@1"), of("query/a@1", "c2")];
    expect(repairs.take(m, lost)).toEqual([of("query/a@1"), of("query/a@1", "c2")]);
    expect(repairs.take(m, lost)).toEqual([]);
    expect(repairs.take(modelId("other"), [of("query/a@1")])).toHaveLength(1);
    await clock.advance(100);
    expect(repairs.take(m, lost)).toHaveLength(2);
    repairs.untake(m, [of("query/a@1")]);
    expect(repairs.take(m, lost)).toEqual([of("query/a@1")]);
  });

  it("I15: no more at once than conductors are asked for; a refused request takes nothing, and says when", async () => {
    const clock = simulatedClock();
    const repairs = new Repairs(clock, { repairEveryMs: 100, repairsMax: 2 });
    repairs.take(m, [of("query/a@1")]);
    await clock.advance(40);
    expect(() => repairs.take(m, [of("query/b@1"), of("query/c@1")])).toThrow(
      expect.objectContaining({ reason: "TOO_MANY_REPAIRS", retryAfterMs: 60 }),
    );
    expect(repairs.take(m, [of("query/c@1")])).toHaveLength(1);
    await clock.advance(60);
    expect(repairs.take(m, [of("query/b@1")])).toHaveLength(1);
  });
});

describe("a cold-boot request", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open({ limits: { repairsMax: 3 } });
    await world.model();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  const as = (token: string) => world.client(ColdBootService, world.coordinator.address, token);

  it("is told to all conductors, once, and answered by nobody", async () => {
    const conductor = await world.conductor("owner", bystander);
    const request = { model: "models/m", bindings: [of("query/a@1"), of("table/b@2")] };
    await as("runtime:r").requestBindings(request, options);
    await as("runtime:s").requestBindings(request, options);
    const [told] = await eventually(
      () => conductor.told("repair"),
      (heard) => heard.length > 0,
    );
    expect(told?.addressees).toEqual([]);
    expect(told?.command).toMatchObject({ case: "repair", value: { bindings: request.bindings } });
    await as("runtime:r").requestBindings({ model: "models/m", bindings: [of("query/new@3")] }, options);
    await eventually(
      () => conductor.told("repair").map(({ command }) => command.value),
      ([, next]) => next !== undefined,
    );
    expect(conductor.told("repair")).toHaveLength(2);
  });

  it("I15: of an unknown model, without bindings, of wrong names, or too many is refused with a reason", async () => {
    const request = (model: string, entity: string) =>
      errorOf(as("runtime:r").requestBindings({ model, bindings: [of(entity)] }, options));
    expect(await request("models/none", "query/a@1")).toMatchObject({ reason: "MODEL_NOT_FOUND" });
    expect(await request("models/m", "query/a")).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await errorOf(as("runtime:r").requestBindings({ model: "models/m" }, options))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await request("models/m", "query/z@9")).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "TOO_MANY_REPAIRS",
      retryAfterMs: expect.any(Number) as number,
    });
  });
});
