/**
 * The conductor on AWS's own SDK, against ministack and moto behind a proxy that does what AWS does on bad days
 * (tools/lambda-faults): the control plane's suite on both, and every fault at every call on ministack.
 */
import { CreateRoleCommand } from "@aws-sdk/client-iam";
import { createLambdaClient, FUNCTION_HANDLER, FUNCTION_RUNTIME, functionCode } from "@greco/adapter-lambda";
import type { Conductor, ReviewRequest } from "@greco/conductor-kit";
import { PrepareError } from "@greco/conductor-kit";
import { preparationOf } from "@greco/conductor-kit/testing";
import { candidateId, modelId, type EntityIdentity } from "@greco/domain/model";
import { noMetrics } from "@greco/ports";
import { createLog, systemClock, systemIds } from "@greco/service-kit";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLambdaFaults, type LambdaFaults } from "../../../tools/lambda-faults/lambda-faults.ts";
import type { Emulate } from "../../../tools/lambda-faults/emulation.ts";
import { errorCodes, type What } from "../../../tools/lambda-faults/fault.ts";
import { servers } from "../../../tools/servers/for-tests.ts";
import { applyVersion } from "./apply-version.ts";
import { awsRegion, createIamClient } from "./aws-region.ts";
import { createLambdaConductor } from "./conductor.ts";
import { contentHashOf } from "./function-config.ts";
import { functionName } from "./function-name.ts";
import { LAMBDA_LIMITS, type LambdaLimits } from "./limits.ts";
import type { Workshop } from "./make-function.ts";
import { pacedRegion } from "./paced-region.ts";
import { TokenBucket } from "./rate.ts";
import type { Region } from "./region.ts";
import { lambdaOf, late, nobodyLooks, requestOf, streams, TRUST } from "./testing/world.ts";
import { sideBySide, Turns } from "./turns.ts";
import type { Packaging } from "./wanted.ts";

const { signal } = new AbortController();

/** As quick as a target on this machine is; what is lost has landed by then. */
const limits: LambdaLimits = {
  ...LAMBDA_LIMITS,
  controlCallsPerSecond: 1_000,
  readsPerSecond: 1_000,
  pollMinMs: 20,
  pollMaxMs: 100,
  backoffMinMs: 5,
  backoffMaxMs: 50,
  quietMs: 50,
  visibleMs: 10,
};

/** The runtime's own code is not needed to see which version is which. */
const SOURCE = "export const handler = async () => ({ outcomes: [] });";
const packaging: Packaging = {
  runtime: FUNCTION_RUNTIME,
  handler: FUNCTION_HANDLER,
  codeOf: (query, tables) => Promise.resolve(functionCode(SOURCE, query, tables)),
};

/** ministack is at work on a function for half a second, and waits for nobody meanwhile. */
const CELLS_AT_ONCE = 8;

type Target = {
  readonly faults: LambdaFaults;
  /** Around the proxy. */
  readonly direct: Region;
  readonly region: Region;
  readonly role: string;
};

async function open(
  stack: AsyncDisposableStack,
  engine: "ministack" | "moto",
  emulate: Emulate,
): Promise<Target> {
  process.env["AWS_ACCESS_KEY_ID"] ??= "test";
  process.env["AWS_SECRET_ACCESS_KEY"] ??= "test";
  const cluster = stack.use(await servers[engine]({}, signal));
  const target = `http://${cluster.addresses[0]}`;
  const faults = stack.use(await openLambdaFaults({ target, emulate }, signal));
  const regionAt = (endpoint: string): Region => {
    const access = { region: "eu-west-1", endpoint };
    const lambda = createLambdaClient(access, { requestTimeoutMs: 10_000, maxAttempts: 1 });
    stack.defer(() => lambda.destroy());
    const iam = createIamClient(access, 10_000);
    stack.defer(() => iam.destroy());
    return awsRegion({ lambda, iam });
  };
  const iam = createIamClient({ region: "eu-west-1", endpoint: target }, 10_000);
  stack.defer(() => iam.destroy());
  const RoleName = `greco-${randomUUID().slice(0, 8)}`;
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: TRUST }));
  return { faults, direct: regionAt(target), region: regionAt(faults.endpoint), role: Role?.Arn ?? "" };
}

const before = { ...streams, ...late(600) };
const QUERY = "query/late@1" as EntityIdentity;

/** One conductor after another, on functions with a prefix of this world's own. */
class Scene {
  readonly target: Target;
  readonly prefix = `t${randomUUID().slice(0, 8)}`;
  readonly name: string;
  readonly objects: string[] = [];

  constructor(target: Target) {
    this.target = target;
    this.name = functionName({ prefix: this.prefix, model: modelId("m"), entity: QUERY });
  }

  get workshop(): Workshop {
    const control = new TokenBucket(systemClock, limits.controlCallsPerSecond);
    const reads = new TokenBucket(systemClock, limits.readsPerSecond);
    const calls = noMetrics.counter("", "");
    const region = pacedRegion(this.target.region, { control, reads }, calls, "first");
    const log = createLog({ service: "test", level: "silent" });
    return { region, clock: systemClock, ids: systemIds, log, limits };
  }

  conductor(): Conductor {
    const { workshop, prefix } = this;
    const parts = { workshop, unhurried: workshop, live: nobodyLooks, turns: new Turns() };
    return createLambdaConductor({ ...parts, prefix, defaultRole: this.target.role, packaging });
  }

  async prepare(request: ReviewRequest, over: AbortSignal = signal) {
    const intend = (all: readonly string[]): Promise<void> => {
      this.objects.push(...all);
      return Promise.resolve();
    };
    const [binding] = await this.conductor().prepare({ ...preparationOf(request), intend }, over);
    return binding;
  }

  /** As the kit does it: again until it is done; what is in use stays. */
  async undo(used: readonly string[] = []): Promise<void> {
    const objects = [...new Set(this.objects)].filter((object) => !used.includes(object));
    const outcome = { model: modelId("m"), candidate: candidateId("c1"), claims: [], objects };
    for (let attempt = 1; ; attempt++)
      try {
        return await this.conductor().undo(outcome, signal);
      } catch (error) {
        if (attempt > 20) throw error;
      }
  }

  async versions(): Promise<readonly string[]> {
    const all = await this.target.direct.listVersions(this.name, signal);
    return all.map(({ codeSha256, config }) => contentHashOf(codeSha256, config));
  }

  latest() {
    return this.target.direct.getFunction(this.name, undefined, signal);
  }
}

const requestAt = (euros: number, lambda: object = {}): ReviewRequest =>
  requestOf(late(euros, lambda), before);

async function zipOfTheirs(): Promise<Uint8Array> {
  const schemas = { from: {}, tables: {} };
  const onError = { retries: 0, then: "skip" } as const;
  const query = { name: "theirs", from: "a", to: "b", tables: [], onError, timeoutMs: 1_000, schemas };
  return (await packaging.codeOf(query, [], signal)).zip;
}

/** What every target does as AWS does it. */
function controlPlane(target: () => Target, has: { readonly account: boolean }) {
  it("reviews, makes, finds again, changes, goes back, undoes and deletes", async () => {
    const scene = new Scene(target());
    const vote = await scene.conductor().review(requestAt(600), signal);
    expect(vote).toMatchObject({ vote: "accept", claims: ["query/late"] });
    if (vote.vote === "accept") expect(vote.plan.cost.includes("warning")).toBe(!has.account);
    const first = await scene.prepare(requestAt(600));
    expect(lambdaOf(first).qualifiedArn).toContain(`:function:${scene.name}:1`);
    expect(await scene.prepare(requestAt(600))).toEqual(first);
    const used = [...scene.objects];
    const lambda = { memoryMb: 512, environment: { LEVEL: "info" } };
    const second = await scene.prepare(requestAt(700, lambda));
    expect(lambdaOf(second).qualifiedArn).not.toBe(lambdaOf(first).qualifiedArn);
    expect(await scene.prepare(requestAt(700, lambda))).toEqual(second);
    expect(await scene.prepare(requestAt(600))).toEqual(first);
    expect(await scene.versions()).toHaveLength(2);
    await scene.undo(used);
    expect(await scene.versions()).toHaveLength(1);
    expect((await scene.latest())?.tags["greco:entity"]).toBe(QUERY);
    await scene.undo();
    expect(await scene.latest()).toBeUndefined();
    await scene.undo();
  });

  it("sets alias and concurrency as the epoch says", async () => {
    const scene = new Scene(target());
    const first = await scene.prepare(requestAt(600, { reservedConcurrency: 5 }));
    // An epoch names it already, and less than the pool is not reserved before the marker.
    expect((await scene.latest())?.reserved).toBeUndefined();
    const owner = { prefix: scene.prefix, model: modelId("m"), entity: QUERY };
    const live = (binding: typeof first): Promise<void> =>
      applyVersion(scene.workshop, owner, { lambda: lambdaOf(binding), setsConcurrency: true }, signal);
    await live(first);
    expect((await scene.latest())?.reserved).toBe(5);
    expect((await scene.target.direct.getAlias(scene.name, "live", signal))?.version).toBe("1");
    const second = await scene.prepare(requestAt(700, { reservedConcurrency: 3 }));
    expect((await scene.latest())?.reserved).toBe(5);
    await live(second);
    expect((await scene.target.direct.getAlias(scene.name, "live", signal))?.version).toBe("2");
    expect((await scene.latest())?.reserved).toBe(3);
    await scene.prepare(requestAt(800));
    expect((await scene.latest())?.reserved).toBeUndefined();
    await scene.undo();
    expect(await scene.latest()).toBeUndefined();
  });

  it("keeps environments warm, and gives them back with their version", async () => {
    const scene = new Scene(target());
    await scene.prepare(requestAt(600, { provisionedConcurrency: 1 }));
    const seen = await scene.target.region.getProvisioned(scene.name, "1", signal);
    expect(seen).toMatchObject({ requested: 1, status: "READY" });
    await scene.undo();
    expect(await scene.latest()).toBeUndefined();
  });

  it("leaves alone what is not tagged as ours", async () => {
    const scene = new Scene(target());
    const { direct, role } = scene.target;
    const config = {
      memoryMb: 128,
      timeoutSeconds: 3,
      environment: {},
      role,
      architecture: "x86_64",
      runtime: FUNCTION_RUNTIME,
      handler: FUNCTION_HANDLER,
    };
    const zip = await zipOfTheirs();
    const about = { name: scene.name, config, zip, tags: { team: "other" }, description: "theirs" };
    await direct.createFunction(about, signal);
    await expect(scene.prepare(requestAt(600))).rejects.toMatchObject({
      findings: [{ reason: "FOREIGN_FUNCTION" }],
    });
    await scene.undo();
    expect((await scene.latest())?.tags).toEqual({ team: "other" });
    await direct.deleteFunction(scene.name, undefined, signal);
  });

  it("finds what somebody changed, and puts it back", async () => {
    const scene = new Scene(target());
    const request = requestAt(600);
    const binding = await scene.prepare(request);
    const conductor = scene.conductor();
    const state = {
      model: modelId("m"),
      version: 1,
      view: request.after,
      bindings: [{ entity: QUERY, candidate: candidateId("c1"), content: binding?.content ?? "" }],
      superseded: [],
    };
    const reasons = async (): Promise<readonly string[]> =>
      ((await conductor.inspect?.(state, signal)) ?? []).map(({ reason }) => reason);
    expect(await reasons()).toEqual(["ALIAS_ELSEWHERE"]);
    const facts = await scene.latest();
    if (facts === undefined) throw new Error("it is gone");
    const config = { ...facts.config, memoryMb: 999 };
    const { name, target: at } = scene;
    await at.direct.updateConfiguration({ name, config, revisionId: facts.revisionId }, signal);
    await expect.poll(reasons, { timeout: 30_000 }).toEqual(["LATEST_CHANGED", "ALIAS_ELSEWHERE"]);
    const mended = (await conductor.mend?.(state, signal)) ?? [];
    expect(mended.every((each) => each.mended === true)).toBe(true);
    expect(await reasons()).toEqual([]);
    await at.direct.deleteFunction(name, undefined, signal);
    expect(await reasons()).toEqual(["FUNCTION_MISSING"]);
    expect(await conductor.mend?.(state, signal)).toMatchObject([{ mended: true }]);
    expect((await scene.latest())?.tags["greco:entity"]).toBe(QUERY);
    await scene.undo();
  });

  it("tries its permissions without a trace", async () => {
    const scene = new Scene(target());
    expect(await scene.conductor().checkAccess?.(signal)).toEqual([]);
  });
}

describe("ministack", () => {
  const stack = new AsyncDisposableStack();
  let target: Target;
  beforeAll(async () => {
    target = await open(stack, "ministack", { publish: true, busy: true });
  });
  afterAll(() => stack.disposeAsync());

  controlPlane(() => target, { account: true });

  const whats: readonly What[] = ([409, 412, 429, 500, 503] as const)
    .flatMap((status) =>
      (["before", "after"] as const).map((when): What => ({
        type: "error",
        status,
        code: errorCodes[status],
        when,
      })),
    )
    .concat([
      { type: "lost", when: "before" },
      { type: "lost", when: "after" },
    ]);
  const told = (what: What): string =>
    what.type === "error"
      ? `${what.status} ${what.when}`
      : what.type === "lost"
        ? `lost ${what.when}`
        : what.type;

  it.each([
    ["create", undefined],
    ["update", 600],
  ] as const)(
    "ends ready and the same after every fault at every call of a %s, and an undo leaves nothing",
    async (_title, standing) => {
      const { faults } = target;
      const changed = requestAt(700, { memoryMb: 512, reservedConcurrency: 2 });
      const begin = async (): Promise<{ scene: Scene; used: readonly string[]; began: number }> => {
        const scene = new Scene(target);
        if (standing !== undefined) await scene.prepare(requestAt(standing));
        return { scene, used: [...scene.objects], began: faults.calls.length };
      };
      const clean = await begin();
      await clean.scene.prepare(changed);
      const seen = faults.calls.slice(clean.began).map(({ operation }) => operation);
      await clean.scene.undo();
      // How often the target is looked at while it is at work is not the same each time.
      const places = seen.flatMap((operation, index) => {
        const at = seen.slice(0, index + 1).filter((each) => each === operation).length;
        return at <= 3 ? [{ operation, at }] : [];
      });
      const cells = places.flatMap((place) => whats.map((what) => ({ ...place, what })));
      let done = 0;
      await sideBySide(
        cells,
        CELLS_AT_ONCE,
        async ({ operation, at, what }) => {
          const cell = `${operation} ${at} ${told(what)}`;
          const { scene, used } = await begin();
          const armed = faults.arm({ operation, at, functionName: scene.name, what });
          const binding = await scene.prepare(changed);
          armed.disarm();
          expect(armed.hits, cell).toBe(1);
          expect(await scene.prepare(changed), cell).toEqual(binding);
          const versions = await scene.versions();
          expect(new Set(versions).size, `${cell}: never a second version`).toBe(versions.length);
          expect(versions, cell).toHaveLength(standing === undefined ? 1 : 2);
          await scene.undo(used);
          if (standing === undefined) expect(await scene.latest(), cell).toBeUndefined();
          else expect(await scene.versions(), cell).toHaveLength(1);
          await scene.undo();
          done += 1;
        },
        signal,
      );
      expect(done).toBe(cells.length);
    },
    300_000,
  );

  it("waits for slow activations, and ends with AWS's reason where one fails", async () => {
    const { faults } = target;
    const changed = requestAt(700, { memoryMb: 512, provisionedConcurrency: 1 });
    const writes = [
      "CreateFunction",
      "UpdateFunctionConfiguration",
      "UpdateFunctionCode",
      "PublishVersion",
      "PutProvisionedConcurrencyConfig",
    ] as const;
    for (const operation of writes) {
      const begin = async (): Promise<Scene> => {
        const scene = new Scene(target);
        if (operation.startsWith("Update")) await scene.prepare(requestAt(600));
        faults.clear();
        return scene;
      };
      const slow = await begin();
      const armed = faults.arm({ operation, functionName: slow.name, what: { type: "slow", forms: 3 } });
      await slow.prepare(changed);
      expect(armed.hits, operation).toBe(1);
      await slow.undo();
      const failed = await begin();
      const what: What = { type: "failed", reason: `${operation} is not to be` };
      faults.arm({ operation, functionName: failed.name, what });
      const error = await failed.prepare(changed).catch((reason: unknown) => reason);
      expect(error, operation).toBeInstanceOf(PrepareError);
      expect((error as PrepareError).message).toContain(`${operation} is not to be`);
      faults.clear();
      await failed.undo();
      expect(await failed.latest(), operation).toBeUndefined();
    }
  }, 120_000);
});

describe("moto", () => {
  const stack = new AsyncDisposableStack();
  let target: Target;
  beforeAll(async () => {
    target = await open(stack, "moto", { publish: true, provisioned: true });
  });
  afterAll(() => stack.disposeAsync());

  controlPlane(() => target, { account: false });
});
