import { PrepareError } from "@greco/conductor-kit";
import { preparationOf } from "@greco/conductor-kit/testing";
import { candidateId } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import { functionName } from "./function-name.ts";
import { errorOf } from "./testing/memory-region.ts";
import { lambdaOf, late, MODEL, requestOf, signal, streams, World } from "./testing/world.ts";
import type { EntityIdentity } from "@greco/domain/model";

const created = functionName({ prefix: "greco", model: MODEL, entity: "query/late@2" as EntityIdentity });
const existing = functionName({ prefix: "greco", model: MODEL, entity: "query/late@1" as EntityIdentity });

const operations = (world: World): readonly string[] => world.region.calls.map(({ operation }) => operation);
const without = (calls: readonly string[], ...left: string[]): readonly string[] =>
  calls.filter((each) => !left.includes(each));

/** Version 1 of the model is there, with its function at version 1. */
async function withFunction(world: World): Promise<readonly string[]> {
  const objects: string[] = [];
  await world.prepare(world.conductor(), requestOf(late(600), { ...streams, ...late(600) }), objects);
  world.region.calls.length = 0;
  return objects;
}
const update = (lambda: object = {}, euros = 700) =>
  requestOf(late(euros, lambda), { ...streams, ...late(600) });

async function failure(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof PrepareError)) throw error instanceof Error ? error : new Error("it was made");
  return error.findings;
}

describe("a new function", () => {
  it("is made, published and waited for, with two writes, and named by its version", async () => {
    const world = new World();
    const objects: string[] = [];
    const [binding] = await world.prepare(world.conductor(), requestOf(late(600)), objects);
    expect(without(operations(world), "getFunction")).toEqual(["createFunction", "publishVersion"]);
    const { qualifiedArn, concurrency, batch } = lambdaOf(binding);
    expect(qualifiedArn).toMatch(new RegExp(`:function:${created}:1$`));
    expect({ concurrency, batch }).toEqual({ concurrency: 10, batch: 100 });
    expect(objects).toEqual([
      `function/${created}`,
      expect.stringMatching(`^version/${created}#[0-9a-f]{16}$`),
    ]);
    expect(binding?.uses).toEqual(objects);
    expect(world.region.functions.get(created)?.tags).toEqual({
      "greco:prefix": "greco",
      "greco:model": "m",
      "greco:entity": "query/late@2",
    });
    expect(world.clock.sleeping).toBe(0);
  });

  it("C1: is intended before the first call of AWS that makes something", async () => {
    const world = new World();
    const conductor = world.conductor();
    const refused = new Error("the proposal is decided");
    const preparation = { ...requestOf(late(600)), claimed: requestOf(late(600)).affected };
    const work = conductor.prepare(
      { ...preparation, candidate: candidateId("c1"), intend: () => Promise.reject(refused) },
      signal,
    );
    await expect(world.clock.drive(work)).rejects.toBe(refused);
    expect(operations(world)).toEqual([]);
  });

  it("C2: is the same again to the byte for a prepare that comes again, and nothing is written", async () => {
    const world = new World();
    const [first] = await world.prepare(world.conductor(), requestOf(late(600)), []);
    world.region.calls.length = 0;
    const [again] = await world.prepare(world.conductor(), requestOf(late(600)), []);
    expect(again).toEqual(first);
    expect(operations(world)).toEqual(["getFunction", "listVersions", "getFunction"]);
  });

  it("reserves at once, since nobody else runs it, and keeps environments warm", async () => {
    const world = new World();
    await world.prepare(
      world.conductor(),
      requestOf(late(600, { reservedConcurrency: 7, provisionedConcurrency: 2 })),
      [],
    );
    expect(world.region.functions.get(created)?.reserved).toBe(7);
    expect(world.region.functions.get(created)?.provisioned.get(1)?.count).toBe(2);
    expect(without(operations(world), "getFunction", "getProvisioned")).toEqual([
      "createFunction",
      "publishVersion",
      "putReserved",
      "putProvisioned",
    ]);
  });
});

describe("a function that is there", () => {
  it("gets code and configuration, each waited for, and a new version; the old one stays", async () => {
    const world = new World();
    await withFunction(world);
    const [binding] = await world.prepare(world.conductor(), update({ memoryMb: 512 }), []);
    expect(without(operations(world), "getFunction")).toEqual([
      "listVersions",
      "updateConfiguration",
      "updateCode",
      "publishVersion",
    ]);
    expect(lambdaOf(binding).qualifiedArn).toMatch(/:2$/);
    expect(world.region.functions.get(existing)?.versions.map(({ number }) => number)).toEqual([1, 2]);
  });

  it("S2: goes back to an older version without another one, whatever $LATEST is", async () => {
    const world = new World();
    await withFunction(world);
    await world.prepare(world.conductor(), update(), []);
    const back = requestOf(late(600), { ...streams, ...late(700) });
    const [binding] = await world.prepare(world.conductor(), back, []);
    expect(lambdaOf(binding).qualifiedArn).toMatch(/:1$/);
    expect(world.region.published).toHaveLength(2);
  });

  it("S3: raises what is reserved before the marker, and does not lower it", async () => {
    const world = new World();
    await withFunction(world);
    await world.prepare(world.conductor(), update({ reservedConcurrency: 5 }), []);
    expect(world.region.functions.get(existing)?.reserved).toBeUndefined();
    const stored = world.region.functions.get(existing);
    if (stored !== undefined) stored.reserved = 5;
    await world.prepare(world.conductor(), update({ reservedConcurrency: 9 }, 800), []);
    expect(world.region.functions.get(existing)?.reserved).toBe(9);
    await world.prepare(world.conductor(), update({ reservedConcurrency: 3 }, 900), []);
    expect(world.region.functions.get(existing)?.reserved).toBe(9);
  });

  it("is not touched when its tags are not ours", async () => {
    const world = new World();
    const config = {
      memoryMb: 128,
      timeoutSeconds: 3,
      environment: {},
      role: "r",
      architecture: "x86_64",
      runtime: "nodejs22.x",
      handler: "index.handler",
    };
    world.region.put(created, { team: "other" }, config);
    const findings = await failure(world.prepare(world.conductor(), requestOf(late(600)), []));
    expect(findings).toMatchObject([
      { entity: "query/late", reason: "FOREIGN_FUNCTION", message: expect.stringContaining("team=other") },
    ]);
    expect(operations(world)).toEqual(["getFunction"]);
    await world.undo(world.conductor(), [`function/${created}`]);
    expect(world.region.functions.get(created)?.content.config).toEqual(config);
  });
});

describe("what AWS says no to for good", () => {
  it.each([
    ["create", "FUNCTION_FAILED"],
    ["publish", "FUNCTION_FAILED"],
  ] as const)("ends the prepare with AWS's reason when its %s fails", async (what, reason) => {
    const world = new World();
    world.region.failing = { [what]: "the key is disabled" };
    const findings = await failure(world.prepare(world.conductor(), requestOf(late(600)), []));
    expect(findings).toMatchObject([{ reason, message: expect.stringContaining("the key is disabled") }]);
  });

  it("ends it when our own update fails, and tries once more what failed before", async () => {
    const world = new World();
    await withFunction(world);
    world.region.failing = { update: "the subnet is gone" };
    const findings = await failure(world.prepare(world.conductor(), update(), []));
    expect(findings).toMatchObject([
      { reason: "FUNCTION_FAILED", message: expect.stringContaining("the subnet is gone") },
    ]);
    world.region.failing = {};
    const [binding] = await world.prepare(world.conductor(), update(), []);
    expect(lambdaOf(binding).qualifiedArn).toMatch(/:2$/);
  });

  it("ends it when environments cannot be kept warm", async () => {
    const world = new World();
    world.region.failing = { provision: "no capacity" };
    const request = requestOf(late(600, { provisionedConcurrency: 2 }));
    expect(await failure(world.prepare(world.conductor(), request, []))).toMatchObject([
      { reason: "PROVISIONING_FAILED", fieldPath: "lambda.provisionedConcurrency" },
    ]);
  });

  it("names permissions that lack, without trying again", async () => {
    const world = new World();
    world.region.fault = ({ operation }) =>
      operation === "createFunction" ? { kind: "denied", when: "before" } : undefined;
    const findings = await failure(world.prepare(world.conductor(), requestOf(late(600)), []));
    expect(findings).toMatchObject([
      { reason: "ACCESS_DENIED", remedy: expect.stringContaining("policy.json") },
    ]);
    expect(without(operations(world), "getFunction")).toEqual(["createFunction"]);
  });

  it("waits for a role that was made a moment ago, and not for ever", async () => {
    const world = new World();
    let refusals = 0;
    world.region.fault = ({ operation }) => {
      if (operation !== "createFunction" || ++refusals > 3) return undefined;
      const error = errorOf("refused", "createFunction");
      const message = "The role defined for the function cannot be assumed by Lambda.";
      throw Object.assign(error, { message });
    };
    await world.prepare(world.conductor(), requestOf(late(600)), []);
    refusals = Number.NEGATIVE_INFINITY;
    const other = requestOf(late(600, {}, "other"));
    expect(await failure(world.prepare(world.conductor(), other, []))).toMatchObject([
      { reason: "ROLE_NOT_ASSUMABLE", fieldPath: "lambda.role" },
    ]);
  });

  it("gives up on a function that somebody edits again and again, and not on one edit", async () => {
    const world = new World();
    await withFunction(world);
    let edits = 1;
    world.region.fault = ({ operation, name }) => {
      if (operation === "publishVersion" && edits-- > 0) world.region.edit(name, { memoryMb: 1_000 + edits });
      return undefined;
    };
    const [binding] = await world.prepare(world.conductor(), update(), []);
    expect(lambdaOf(binding).qualifiedArn).toMatch(/:2$/);
    edits = 1_000;
    expect(await failure(world.prepare(world.conductor(), update({}, 800), []))).toMatchObject([
      { reason: "EDITED_BY_OTHERS" },
    ]);
    expect(world.region.published).toHaveLength(2);
  });
});

describe("time", () => {
  it("M2: goes on through what passes until the signal, and says then what it waited for", async () => {
    const world = new World();
    const time = new AbortController();
    world.region.fault = ({ operation }) =>
      operation === "createFunction" ? { kind: "throttled", when: "before" } : undefined;
    void world.clock.sleep(60_000, signal).then(() => time.abort(new Error("its time is over")));
    const findings = await failure(world.prepare(world.conductor(), requestOf(late(600)), [], time.signal));
    expect(findings).toMatchObject([
      { reason: "NOT_READY_IN_TIME", message: expect.stringContaining("TooManyRequestsException") },
    ]);
    expect(without(operations(world), "getFunction").length).toBeGreaterThan(5);
    expect(world.clock.sleeping).toBe(0);
  });

  it("makes 200 functions in the time of 400 writes at 15 a second, and the activation", async () => {
    const world = new World({ delays: { createMs: 1_000, publishMs: 1_000, visibleMs: 0 } });
    const changes = Object.assign(
      {},
      ...Array.from({ length: 200 }, (_, at) => late(at, {}, `q${at}`)),
    ) as ReturnType<typeof late>;
    const request = requestOf(changes);
    const vote = await world.clock.drive(world.conductor().review(request, signal));
    if (vote.vote !== "accept") throw new Error("it is vetoed");
    const beganMs = world.clock.monotonicMs();
    world.region.calls.length = 0;
    const bindings = await world.prepare(world.conductor(), request, []);
    const tookMs = world.clock.monotonicMs() - beganMs;
    expect(bindings).toHaveLength(200);
    const leastMs = (400 / 15) * 1_000;
    expect(tookMs / leastMs).toBeLessThan(1.2);
    expect(tookMs).toBeLessThan(vote.plan.prepareTimeMs);
    const writes = world.region.calls.filter(({ operation }) => operation !== "getFunction");
    expect(writes).toHaveLength(400);
    for (const { atMs } of writes)
      expect(
        writes.filter((each) => each.atMs >= atMs && each.atMs < atMs + 1_000).length,
      ).toBeLessThanOrEqual(16);
  });
});

it("a binding that was lost is made again, and what is reserved and warm stays the newest epoch's", async () => {
  const world = new World();
  await withFunction(world);
  const stored = world.region.functions.get(existing);
  if (stored !== undefined) stored.reserved = 9;
  const request = requestOf(late(600, { reservedConcurrency: 3, provisionedConcurrency: 2 }), {
    ...streams,
    ...late(600),
  });
  const preparation = { ...preparationOf(request, candidateId("c1")), intend: () => Promise.resolve() };
  await world.clock.drive(world.conductor().prepare({ ...preparation, again: true }, signal));
  expect([stored?.reserved, stored?.provisioned.size]).toEqual([9, 0]);
});

describe("what a candidate raises", () => {
  it("is looked at again behind its outcome: what is reserved, and what is kept warm of a shared version", async () => {
    for (const lambda of [{ reservedConcurrency: 9 }, { provisionedConcurrency: 2 }]) {
      const world = new World();
      await withFunction(world);
      const stored = world.region.functions.get(existing);
      if (stored !== undefined && "reservedConcurrency" in lambda) stored.reserved = 5;
      expect(world.touched).toEqual([]);
      await world.prepare(world.conductor(), update(lambda), []);
      expect([...new Set(world.touched)]).toEqual(["query/late@1"]);
    }
  });

  it("is nothing where it asks for what is there", async () => {
    const world = new World();
    await withFunction(world);
    await world.prepare(world.conductor(), update({}), []);
    expect(world.touched).toEqual([]);
  });
});
