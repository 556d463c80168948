/**
 * Every fault at every call, before and after its effect, and a death between any two calls: what is asked of the
 * harness is in docs/decisions/0100-lambda.md. After the manner of omicron's sagas: a clean run tells the calls, then each
 * of them fails in turn, and everything is done twice.
 */
import type { Conductor, ReviewRequest } from "@greco/conductor-kit";
import { PrepareError } from "@greco/conductor-kit";
import { candidateId, type EntityIdentity } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import { contentHashOf } from "./function-config.ts";
import { functionName, parseQualifiedArn } from "./function-name.ts";
import { OPERATIONS } from "./operations.ts";
import type { RegionErrorKind } from "./region.ts";
import type { Fault } from "./testing/memory-region.ts";
import { lambdaOf, late, MODEL, requestOf, streams, World } from "./testing/world.ts";

const nameOf = (entity: string): string =>
  functionName({ prefix: "greco", model: MODEL, entity: entity as EntityIdentity });
const FOREIGN = "greco-m-somebody-elses";

const lambda = { memoryMb: 512, reservedConcurrency: 9, provisionedConcurrency: 2 };
/** One look more than none while something is under way; each is a cell. */
const delays = { createMs: 150, updateMs: 150, publishMs: 150, provisionMs: 150 };

type Scenario = {
  readonly name: string;
  /** Of the function that the scenario is about. */
  readonly function: string;
  readonly request: ReviewRequest;
  /** What stands before, as a prepare made it; its objects are in use by an epoch. */
  readonly standing: ReviewRequest | undefined;
};

const before = { ...streams, ...late(600) };
const scenarios: readonly Scenario[] = [
  {
    name: "create",
    function: nameOf("query/late@2"),
    request: requestOf(late(600, lambda)),
    standing: undefined,
  },
  {
    name: "update",
    function: nameOf("query/late@1"),
    request: requestOf(late(700, lambda), before),
    standing: requestOf(late(600), before),
  },
];

type Run = { readonly world: World; readonly used: readonly string[]; readonly standing: string | undefined };

async function begin({ standing }: Scenario): Promise<Run> {
  const world = new World({ delays });
  const foreign = { memoryMb: 128, timeoutSeconds: 3, environment: {}, role: "r", architecture: "x86_64" };
  world.region.put(FOREIGN, { team: "other" }, { ...foreign, runtime: "nodejs22.x", handler: "h" });
  const used: string[] = [];
  let arn: string | undefined;
  if (standing !== undefined) {
    const [binding] = await world.prepare(world.conductor(), standing, used, undefined, candidateId("c0"));
    arn = lambdaOf(binding).qualifiedArn;
  }
  world.region.calls.length = 0;
  return { world, used, standing: arn };
}

/** The region as a whole, without what is AWS's to choose. */
function picture({ region }: World): unknown {
  return [...region.functions].map(([name, each]) => ({
    name,
    tags: each.tags,
    reserved: each.reserved,
    versions: each.versions.map(({ codeSha256, config }) => contentHashOf(codeSha256, config)),
    provisioned: [...each.provisioned].map(([version, { count }]) => `${version}: ${count}`),
  }));
}

/** What holds whatever happened, and when all that was late has landed. */
async function check({ world }: Run): Promise<void> {
  expect(world.region.inFlight, "K3").toBe(0);
  await world.clock.advance(10_000);
  const contents = world.region.published.map(({ name, content }) => `${name} ${content}`);
  expect(new Set(contents).size, "never a second version for one content").toBe(contents.length);
  expect(world.region.calls.some(({ name }) => name === FOREIGN)).toBe(false);
  expect(world.region.functions.get(FOREIGN)?.tags).toEqual({ team: "other" });
  expect(world.clock.sleeping, "nothing is left behind").toBe(0);
}

/** K4: what the kit would hand over. */
const unpinned = (objects: readonly string[], used: readonly string[]): readonly string[] =>
  [...new Set(objects)].filter((object) => !used.includes(object));

const kinds: readonly RegionErrorKind[] = ["conflict", "precondition", "throttled", "unavailable", "unknown"];
const faults: readonly Fault[] = [
  ...kinds.flatMap((kind): readonly Fault[] => [
    { kind, when: "before" },
    { kind, when: "after" },
  ]),
  { kind: "unknown", when: "late" },
];

/** Calls of a clean run, in their order. */
async function callsOf(scenario: Scenario, then: (run: Run, objects: string[]) => Promise<void>) {
  const run = await begin(scenario);
  const objects: string[] = [];
  await run.world.prepare(run.world.conductor(), scenario.request, objects);
  await then(run, objects);
  return run.world.region.calls.map(({ operation }) => operation);
}

const settled = async <T>(work: Promise<T>): Promise<T | PrepareError> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof PrepareError) return error;
    throw error;
  }
};

/** The undo as the kit repeats it. */
async function undone(run: Run, conductor: Conductor, objects: readonly string[]): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      return await run.world.undo(conductor, unpinned(objects, run.used));
    } catch (error) {
      if (attempt > 20) throw error;
    }
}

describe.each(scenarios)("$name", (scenario) => {
  it("ends ready and the same after any fault at any call, and leaves nothing when it is undone", async () => {
    const clean = await callsOf(scenario, () => Promise.resolve());
    expect(clean.length).toBeGreaterThan(4);
    const cells: string[] = [];
    for (const [at, operation] of clean.entries())
      for (const fault of faults) {
        const cell = `${at} ${operation} ${fault.kind} ${fault.when}`;
        const run = await begin(scenario);
        const { world } = run;
        const empty = picture(world);
        const objects: string[] = [];
        world.region.fault = (_call, each) => (each === at ? fault : undefined);
        const [binding] = await world.prepare(world.conductor(), scenario.request, objects);
        world.region.fault = () => undefined;
        const [again] = await world.prepare(world.conductor(), scenario.request, objects);
        expect(again, `${cell}: the same again`).toEqual(binding);
        expect(world.region.functions.get(scenario.function)?.versions, cell).toHaveLength(
          scenario.standing === undefined ? 1 : 2,
        );
        const conductor = world.conductor();
        await undone(run, conductor, objects);
        await undone(run, conductor, objects);
        await check(run);
        expect(picture(world), `${cell}: nothing is left`).toEqual(empty);
        cells.push(cell);
      }
    expect(cells).toHaveLength(clean.length * faults.length);
  });

  it("is aborted at any call: nothing is under way behind it, and an undo leaves nothing", async () => {
    const clean = await callsOf(scenario, () => Promise.resolve());
    for (const [at, operation] of clean.entries())
      for (const fault of [undefined, "late"] as const) {
        if (fault === "late" && !OPERATIONS[operation].writes) continue;
        const cell = `${at} ${operation} ${fault ?? "in time"}`;
        const run = await begin(scenario);
        const { world } = run;
        const empty = picture(world);
        const objects: string[] = [];
        const time = new AbortController();
        world.region.fault = (_call, each) => {
          if (each !== at) return undefined;
          time.abort(new Error("the proposal is decided"));
          return fault === "late" ? { kind: "unknown", when: "late" } : undefined;
        };
        await settled(world.prepare(world.conductor(), scenario.request, objects, time.signal));
        expect(world.region.inFlight, cell).toBe(0);
        expect(world.clock.sleeping, `${cell}: what may still land has landed`).toBe(0);
        await undone(run, world.conductor(), objects);
        await check(run);
        expect(picture(world), cell).toEqual(empty);
      }
  });

  it("is killed at any call and goes on in another process, or is undone by it", async () => {
    const clean = await callsOf(scenario, () => Promise.resolve());
    for (const [at, operation] of clean.entries())
      for (const when of ["before", "after"] as const)
        for (const then of ["prepare", "undo"] as const) {
          const cell = `${at} ${operation} ${when}, ${then}`;
          const run = await begin(scenario);
          const { world } = run;
          const empty = picture(world);
          const objects: string[] = [];
          await killedAt(world, at, when, (killed) =>
            world.prepare(world.conductor(), scenario.request, objects, killed),
          );
          if (then === "prepare") {
            const [binding] = await world.prepare(world.conductor(), scenario.request, objects);
            const [again] = await world.prepare(world.conductor(), scenario.request, objects);
            expect(again, cell).toEqual(binding);
          }
          await check(run);
          await undone(run, world.conductor(), objects);
          await check(run);
          expect(picture(world), cell).toEqual(empty);
          if (run.standing !== undefined)
            expect(world.region.functions.get(scenario.function)?.versions).toHaveLength(1);
        }
  });

  it("is undone through any fault at any call", async () => {
    const clean = await callsOf(scenario, async (run, objects) => {
      run.world.region.calls.length = 0;
      await undone(run, run.world.conductor(), objects);
    });
    for (const [at, operation] of clean.entries())
      for (const fault of faults) {
        const run = await begin(scenario);
        const { world } = run;
        const empty = picture(world);
        const objects: string[] = [];
        await world.prepare(world.conductor(), scenario.request, objects);
        world.region.calls.length = 0;
        world.region.fault = (_call, each) => (each === at ? fault : undefined);
        await undone(run, world.conductor(), objects);
        const cell = `${at} ${operation} ${fault.kind} ${fault.when}`;
        expect(picture(world), cell).toEqual(empty);
        // What is made again under the same name is not met by a delete that comes late.
        const [binding] = await world.prepare(world.conductor(), scenario.request, objects);
        await world.clock.advance(10_000);
        expect(world.region.functions.get(scenario.function)?.versions.at(-1), cell).toMatchObject({
          number: Number(parseQualifiedArn(lambdaOf(binding).qualifiedArn)?.version),
        });
      }
  });
});

/**
 * As kill -9 at the n-th call: with its effect or without it, and the process does nothing any more. What it still waits
 * for ends by its signal, and has nothing to tell.
 */
async function killedAt(
  world: World,
  at: number,
  when: "before" | "after",
  work: (killed: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const killed = new AbortController();
  const dead = new Error("kill -9");
  world.region.fault = (_call, each) => {
    if (each < at) return undefined;
    killed.abort(dead);
    return { kind: "unavailable", when: each === at ? when : "before" };
  };
  await work(killed.signal).catch(() => undefined);
  world.region.fault = () => undefined;
}
