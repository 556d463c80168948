import type { InForce } from "@greco/conductor-kit";
import { candidateId, type EntityIdentity } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import { functionName } from "./function-name.ts";
import { OPERATIONS } from "./operations.ts";
import { shaOf } from "./testing/memory-region.ts";
import { late, MODEL, requestOf, ROLE, signal, streams, World } from "./testing/world.ts";

const QUERY = "query/late@1" as EntityIdentity;
const NAME = functionName({ prefix: "greco", model: MODEL, entity: QUERY });
const before = { ...streams, ...late(600) };

const config = {
  memoryMb: 128,
  timeoutSeconds: 3,
  environment: {},
  architecture: "x86_64",
  runtime: "nodejs22.x",
  handler: "index.handler",
};

type Concurrency = { readonly reservedConcurrency?: number; readonly provisionedConcurrency?: number };

async function inForce(world: World, lambda: Concurrency = {}): Promise<InForce> {
  const request = requestOf(late(600, lambda), { ...streams, ...late(600, lambda) });
  const [binding] = await world.prepare(world.conductor(), request, []);
  if (binding === undefined) throw new Error("nothing was made");
  // As go-live.ts leaves it.
  stored(world).aliases.set("live", { version: "1", revision: "a" });
  stored(world).reserved = lambda.reservedConcurrency;
  world.region.calls.length = 0;
  return {
    model: MODEL,
    version: 1,
    view: request.after,
    bindings: [{ entity: QUERY, candidate: candidateId("c1"), content: binding.content }],
    superseded: [],
  };
}

/** In force is one at 700 euros; the one at 600 is superseded, and not retired. */
async function afterAChange(world: World): Promise<InForce> {
  const old = await inForce(world);
  const request = requestOf(late(700), before);
  const [binding] = await world.prepare(world.conductor(), request, []);
  stored(world).aliases.set("live", { version: "2", revision: "b" });
  const view = () => Promise.resolve(old.view);
  return {
    ...old,
    version: 2,
    view: request.after,
    bindings: [{ entity: QUERY, candidate: candidateId("c2"), content: binding?.content ?? "" }],
    superseded: old.bindings.map((each) => ({ ...each, version: 1, view })),
  };
}
const stored = (world: World) => {
  const found = world.region.functions.get(NAME);
  if (found === undefined) throw new Error(`there is no ${NAME}`);
  return found;
};
const inspect = async (world: World, state: InForce) =>
  (await world.clock.drive(world.conductor().inspect?.(state, signal) ?? Promise.resolve([]))).map(
    ({ reason }) => reason,
  );
const mend = async (world: World, state: InForce) =>
  (await world.clock.drive(world.conductor().mend?.(state, signal) ?? Promise.resolve([]))).map(
    ({ reason, mended }) => `${reason} ${mended === true ? "mended" : "left"}`,
  );

describe("drift", () => {
  it("tells what is kept warm and is not to be, and takes it back", async () => {
    const world = new World();
    const state = await inForce(world);
    stored(world).provisioned.set(1, { count: 4, readyAtMs: 0 });
    expect(await inspect(world, state)).toEqual(["CONCURRENCY_DIFFERS"]);
    expect(await mend(world, state)).toEqual(["CONCURRENCY_DIFFERS mended"]);
    expect(stored(world).provisioned.size).toBe(0);
  });

  it("is nothing where AWS is as the epoch says, and looking changes nothing", async () => {
    const world = new World();
    const state = await inForce(world, { reservedConcurrency: 5, provisionedConcurrency: 1 });
    expect(await inspect(world, state)).toEqual([]);
    expect(world.region.calls.filter(({ operation }) => OPERATIONS[operation].writes)).toEqual([]);
  });

  it("tells an edited $LATEST, and puts it back without a new version", async () => {
    const world = new World();
    const state = await inForce(world);
    world.region.edit(NAME, { memoryMb: 999 });
    expect(await inspect(world, state)).toEqual(["LATEST_CHANGED"]);
    expect(await mend(world, state)).toEqual(["LATEST_CHANGED mended"]);
    expect(await inspect(world, state)).toEqual([]);
    expect(world.region.published).toHaveLength(1);
  });

  it("tells a deleted version, and publishes the content again, under another number", async () => {
    const world = new World();
    const state = await inForce(world);
    stored(world).aliases.clear();
    stored(world).versions = [];
    expect(await inspect(world, state)).toContain("VERSION_MISSING");
    const told = await world.clock.drive(world.conductor().mend?.(state, signal) ?? Promise.resolve([]));
    expect(told[0]).toMatchObject({
      entity: "query/late",
      object: `function ${NAME}, version 1`,
      reason: "VERSION_MISSING",
      mended: true,
      message: expect.stringContaining("it is version 2 now"),
    });
    expect(await inspect(world, state), "the alias is looked at with the version that is there").toEqual([
      "ALIAS_ELSEWHERE",
    ]);
    expect(await mend(world, state)).toEqual(["ALIAS_ELSEWHERE mended"]);
    expect(await inspect(world, state)).toEqual([]);
  });

  it("sets no concurrency as an older epoch had it, when it makes its version again", async () => {
    const world = new World();
    const state = await afterAChange(world);
    stored(world).reserved = 5;
    stored(world).versions = stored(world).versions.filter(({ number }) => number !== 1);
    world.settled = false;
    expect(await mend(world, state)).toEqual(["VERSION_MISSING mended"]);
    expect(stored(world).reserved).toBe(5);
  });

  it("tells a deleted version of an older epoch, and publishes it again, which changes nothing of the newest", async () => {
    const world = new World();
    const state = await afterAChange(world);
    expect(await inspect(world, state)).toEqual([]);
    stored(world).versions = stored(world).versions.filter(({ number }) => number !== 1);
    expect(await inspect(world, state)).toEqual(["VERSION_MISSING"]);
    expect(await mend(world, state)).toEqual(["VERSION_MISSING mended"]);
    expect(await inspect(world, state)).toEqual([]);
    expect(stored(world).versions.map(({ number }) => number)).toEqual([2, 3]);
    expect(stored(world).aliases.get("live")?.version).toBe("2");
    // Of a query that is deleted in the newest epoch, too.
    stored(world).versions = stored(world).versions.filter(({ number }) => number !== 3);
    expect(await mend(world, { ...state, bindings: [] })).toEqual(["VERSION_MISSING mended"]);
    world.region.functions.clear();
    expect(await mend(world, state)).toEqual(["FUNCTION_MISSING mended", "FUNCTION_MISSING mended"]);
    expect(stored(world).versions).toHaveLength(2);
  });

  it("tells a deleted function, and makes it again with its tags", async () => {
    const world = new World();
    const state = await inForce(world);
    world.region.functions.clear();
    expect(await inspect(world, state)).toEqual(["FUNCTION_MISSING"]);
    expect(await mend(world, state)).toEqual(["FUNCTION_MISSING mended"]);
    expect(stored(world).tags["greco:entity"]).toBe(QUERY);
  });

  it("D2: tells others' tags, and touches nothing of it", async () => {
    const world = new World();
    const state = await inForce(world);
    Object.assign(stored(world), { tags: { team: "other" } });
    expect(await mend(world, state)).toEqual(["FOREIGN_TAGS left"]);
    expect(world.region.calls.filter(({ operation }) => OPERATIONS[operation].writes)).toEqual([]);
  });

  it("tells an alias elsewhere and other concurrency, once every lane has crossed", async () => {
    const world = new World();
    const state = await inForce(world, { reservedConcurrency: 5, provisionedConcurrency: 1 });
    stored(world).aliases.set("live", { version: "7", revision: "b" });
    stored(world).reserved = 9;
    stored(world).provisioned.clear();
    world.settled = false;
    expect(await inspect(world, state)).toEqual([]);
    world.settled = true;
    const all = ["ALIAS_ELSEWHERE", "CONCURRENCY_DIFFERS", "CONCURRENCY_DIFFERS"];
    expect(await inspect(world, state)).toEqual(all);
    expect(await mend(world, state)).toEqual(all.map((reason) => `${reason} mended`));
    expect(await inspect(world, state)).toEqual([]);
  });

  it("R6: puts nothing back that would be another content", async () => {
    const world = new World();
    const state = await inForce(world);
    stored(world).versions = [];
    const zip = new Uint8Array([1]);
    const codeOf = () => Promise.resolve({ zip, codeSha256: shaOf(zip), unzippedBytes: 1 });
    Object.assign(world.wishes, { packaging: { ...world.wishes.packaging, codeOf } });
    expect(await mend(world, state)).toContain("VERSION_MISSING left");
    expect(world.region.published).toHaveLength(1);
  });

  it("leaves functions of another prefix to their conductor", async () => {
    const world = new World();
    const state = await inForce(world);
    Object.assign(world.wishes, { prefix: "other" });
    expect(await inspect(world, state)).toEqual([]);
    expect(world.region.calls).toEqual([]);
  });
});

describe("access", () => {
  it("is tried on what is not there, by every operation but a create", async () => {
    const world = new World();
    await inForce(world);
    const conductor = world.conductor();
    const told = await world.clock.drive(conductor.checkAccess?.(signal) ?? Promise.resolve([]));
    expect(told).toEqual([]);
    const tried = new Set(world.region.calls.map(({ operation }) => operation));
    expect(Object.keys(OPERATIONS).filter((each) => !tried.has(each as keyof typeof OPERATIONS))).toEqual([
      "createFunction",
    ]);
    expect(world.region.calls.some(({ name }) => name === NAME)).toBe(false);
  });

  it("D1: tries nothing on a function that is there, or of which that cannot be seen", async () => {
    for (const denied of [false, true]) {
      const world = new World();
      const probe = "greco-doctor-tries-what-is-not-there";
      world.region.put(probe, { team: "other" }, { ...config, role: ROLE });
      world.region.calls.length = 0;
      if (denied)
        world.region.fault = ({ operation }) =>
          operation === "getFunction" ? { kind: "denied", when: "before" } : undefined;
      const told = await world.clock.drive(world.conductor().checkAccess?.(signal) ?? Promise.resolve([]));
      expect(told).toMatchObject([
        denied
          ? { object: "lambda:GetFunction", reason: "ACCESS_DENIED" }
          : { object: `function ${probe}`, reason: "PROBE_NAME_TAKEN" },
      ]);
      expect(world.region.calls.map(({ operation }) => operation)).toEqual(["getFunction"]);
    }
  });

  it("tells each action that is denied", async () => {
    const world = new World();
    world.region.fault = ({ operation }) =>
      operation === "publishVersion" || operation === "getRole"
        ? { kind: "denied", when: "before" }
        : undefined;
    const told = await world.clock.drive(world.conductor().checkAccess?.(signal) ?? Promise.resolve([]));
    expect(told.map(({ object, reason }) => `${object} ${reason}`)).toEqual([
      "lambda:PublishVersion ACCESS_DENIED",
      "iam:GetRole ACCESS_DENIED",
    ]);
  });
});

it("says of each binding of its own whose lanes run it, and leaves others' alone", async () => {
  const world = new World();
  const conductor = world.conductor();
  const { bindings } = await inForce(world);
  const content = bindings[0]?.content ?? "";
  expect(conductor.owns?.(content)).toBe(true);
  expect(conductor.owns?.(JSON.stringify({ name: "late", from: "flights" }))).toBe(false);
  const flows = () => Promise.resolve([]);
  expect(await conductor.inputsOf?.({ entity: QUERY, content }, flows)).toEqual(["stream/flights"]);
  const [each] = requestOf(late(700), before).affected;
  expect(each !== undefined && conductor.takes?.(each)).toBe(true);
});
