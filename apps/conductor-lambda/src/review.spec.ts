import type { Veto } from "@greco/conductor-kit";
import { reviewOf, type Specs } from "@greco/conductor-kit/testing";
import type { EntityIdentity } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import { trustsLambda } from "./check-region.ts";
import { functionName } from "./function-name.ts";
import { shaOf } from "./testing/memory-region.ts";
import { late, MODEL, requestOf, ROLE, signal, streams, TRUST, World } from "./testing/world.ts";

const review = (world: World, request: Parameters<World["prepare"]>[1]) =>
  world.clock.drive(world.conductor().review(request, signal));

async function findings(world: World, request: Parameters<World["prepare"]>[1]): Promise<Veto["findings"]> {
  const opinion = await review(world, request);
  return opinion.vote === "veto" ? opinion.findings : [];
}
const brief = async (world: World, changes: Specs, before: Specs = streams): Promise<readonly string[]> =>
  (await findings(world, requestOf(changes, before))).map(
    ({ entity, fieldPath, reason }) => `${entity} ${fieldPath} ${reason}`,
  );
const operations = (world: World): readonly string[] => world.region.calls.map(({ operation }) => operation);

describe("a review", () => {
  it("accepts and claims, tells what becomes of what and when, and changes nothing", async () => {
    const world = new World();
    const opinion = await review(world, requestOf(late(600)));
    const name = functionName({ prefix: "greco", model: MODEL, entity: "query/late@2" as EntityIdentity });
    expect(opinion).toMatchObject({
      vote: "accept",
      claims: ["query/late"],
      plan: {
        steps: [
          {
            action: "create",
            object: `function ${name}`,
            risk: "low",
            note: "flights → paid, from its marker on",
          },
        ],
        prepareTimeMs: Math.ceil((2 * 1_000) / 15) + 5_000,
        cost: "calls and their duration; nothing while nobody calls",
      },
    });
    expect(new Set(operations(world))).toEqual(new Set(["getFunction", "getRole", "getAccount"]));
    expect(world.region.functions.size).toBe(0);
  });

  it("leaves the worker's queries to the worker", async () => {
    const world = new World();
    const worker = { "query/late": { from: "flights", to: "paid", select: { euros: "nonsense" } } };
    expect(await review(world, requestOf(worker))).toMatchObject({ vote: "accept", claims: [] });
    expect(operations(world)).toEqual([]);
  });

  it("tells updates with their reason, and what is left as it is", async () => {
    const world = new World();
    const before = { ...streams, ...late(600) };
    const steps = async (changes: Specs, referring: string[] = []) => {
      const opinion = await review(world, reviewOf({ before, changes, referring, kinds: ["query"] }));
      if (opinion.vote !== "accept") throw new Error("vetoed");
      return opinion.plan.steps.map(({ action, risk, note }) => `${action} ${risk}: ${note}`);
    };
    expect(await steps(late(700))).toEqual([
      "update medium: a new version; lanes go on with the old one up to the marker",
    ]);
    expect(await steps({ "query/late": undefined })).toEqual([
      "delete high: when every lane has crossed and no replay needs it any more; it cannot be had back",
    ]);
    const described = { "stream/flights": { ...(streams["stream/flights"] as object), lanes: 9 } };
    expect(await steps(described, ["query/late"])).toEqual([]);
  });

  it("tells a version for the changed rows of a table, which are in the zip", async () => {
    const world = new World();
    const query = {
      "query/late": {
        ...(late(600)["query/late"] as object),
        tables: ["bands"],
        select: { euros: 'tables.bands["far"].euros' },
      },
    };
    const before = { ...streams, ...query };
    const changes = { "table/bands": { ...(streams["table/bands"] as object), rows: [] } };
    const request = reviewOf({ before, changes, referring: ["query/late"], kinds: ["query"] });
    expect(await review(world, request)).toMatchObject({
      plan: { steps: [{ action: "update", note: "a new version, with the changed table/bands" }] },
    });
    const conductor = world.conductor();
    const [old] = await world.prepare(conductor, requestOf(query, before), []);
    const [now] = await world.prepare(conductor, request, []);
    expect(JSON.parse(old?.content ?? "")).toMatchObject({ tables: [] });
    expect(now?.content).not.toBe(old?.content);
  });
});

describe("a veto", () => {
  it("names field, limit and remedy of what AWS would refuse, and asks AWS nothing", async () => {
    const world = new World();
    const wrong = (lambda: object, more: object = {}): Specs => ({
      "query/late": { ...(late(600, lambda)["query/late"] as object), ...more },
    });
    expect(await findings(world, requestOf(wrong({ memoryMb: 64 })))).toMatchObject([
      {
        entity: "query/late",
        fieldPath: "lambda.memoryMb",
        reason: "MEMORY_OUT_OF_RANGE",
        message: "64 MB is not from 128 to 10240",
        remedy: "give it from 128 to 10240 MB",
      },
    ]);
    const cases: readonly (readonly [Specs, string])[] = [
      [wrong({ memoryMb: 10_241 }), "lambda.memoryMb MEMORY_OUT_OF_RANGE"],
      [wrong({ timeoutSeconds: 901 }), "lambda.timeoutSeconds TIMEOUT_OUT_OF_RANGE"],
      [wrong({ timeoutSeconds: 5 }, { timeoutMs: 5_001 }), "lambda.timeoutSeconds TIMEOUT_BELOW_MESSAGE"],
      [wrong({ role: "somebody" }), "lambda.role ROLE_NOT_AN_ARN"],
      [wrong({ environment: { AWS_REGION: "x" } }), "lambda.environment.AWS_REGION VARIABLE_RESERVED"],
      [wrong({ environment: { "1": "x" } }), "lambda.environment.1 VARIABLE_NAME"],
      [wrong({ environment: { BIG: "x".repeat(4_096) } }), "lambda.environment ENVIRONMENT_TOO_LARGE"],
      [
        wrong({ reservedConcurrency: 2, provisionedConcurrency: 3 }),
        "lambda.provisionedConcurrency PROVISIONED_ABOVE_RESERVED",
      ],
      [wrong({}, { where: "event.dealy > 1" }), "where UNKNOWN_FIELD"],
    ];
    for (const [changes, reason] of cases)
      expect(await brief(world, changes)).toEqual([`query/late ${reason}`]);
    const longest = wrong({ environment: { BIG: "x".repeat(4_096 - '{"BIG":""}'.length) } });
    expect(await brief(world, longest)).toEqual([]);
    expect(operations(world).filter((operation) => operation === "getFunction")).toHaveLength(1);
  });

  it("is given where neither the query nor the conductor names a role", async () => {
    const world = new World();
    Object.assign(world.wishes, { defaultRole: undefined });
    expect(await brief(world, late(600))).toEqual(["query/late lambda.role ROLE_MISSING"]);
  });

  it("is given for a zip that cannot be uploaded, and for code that is too large", async () => {
    const world = new World();
    const sized = (zipped: number, unzippedBytes: number): void => {
      const zip = new Uint8Array(zipped);
      const codeOf = () => Promise.resolve({ zip, codeSha256: shaOf(zip.subarray(0, 1)), unzippedBytes });
      Object.assign(world.wishes, { packaging: { runtime: "nodejs22.x", handler: "h", codeOf } });
    };
    const megabyte = 1024 * 1024;
    sized(50 * megabyte + 1, 1);
    expect(await brief(world, late(600))).toEqual(["query/late tables ZIP_TOO_LARGE"]);
    sized(50 * megabyte, 250 * megabyte + 1);
    expect(await brief(world, late(600))).toEqual(["query/late tables CODE_TOO_LARGE"]);
    sized(50 * megabyte, 250 * megabyte);
    expect(await brief(world, late(600))).toEqual([]);
  });

  it("is given for a role that is not there, or that Lambda may not assume; once for many", async () => {
    const world = new World();
    world.region.roles.clear();
    expect(await brief(world, { ...late(600), ...late(600, {}, "other") })).toEqual([
      "query/late lambda.role ROLE_UNKNOWN",
      "query/other lambda.role ROLE_UNKNOWN",
    ]);
    expect(operations(world).filter((operation) => operation === "getRole")).toHaveLength(1);
    const world2 = new World();
    world2.region.roles.set(ROLE, { arn: ROLE, trustPolicy: TRUST.replace("lambda.", "ec2.") });
    expect(await brief(world2, late(600))).toEqual(["query/late lambda.role ROLE_NOT_FOR_LAMBDA"]);
  });

  it("is given for a function of that name that is not ours", async () => {
    const world = new World();
    const name = functionName({ prefix: "greco", model: MODEL, entity: "query/late@2" as EntityIdentity });
    const config = { memoryMb: 128, timeoutSeconds: 3, environment: {}, role: "r", architecture: "x86_64" };
    world.region.put(name, {}, { ...config, runtime: "r", handler: "h" });
    expect(await brief(world, late(600))).toEqual(["query/late  FOREIGN_FUNCTION"]);
  });

  it("is given where all together are too much for the account, though each fits", async () => {
    const world = new World();
    Object.assign(world.region, {
      account: { codeBytesMax: 1e9, codeBytes: 0, concurrencyMax: 1_000, unreserved: 300 },
    });
    const two = {
      ...late(1, { reservedConcurrency: 100 }),
      ...late(2, { reservedConcurrency: 101 }, "other"),
    };
    expect(await brief(world, two)).toEqual(["query/other lambda.reservedConcurrency CONCURRENCY_EXHAUSTED"]);
    expect(await brief(world, late(1, { provisionedConcurrency: 201 }))).toEqual([
      "query/late lambda.provisionedConcurrency CONCURRENCY_EXHAUSTED",
    ]);
    expect(await brief(world, late(1, { reservedConcurrency: 200 }))).toEqual([]);
    const full = new World();
    Object.assign(full.region, {
      account: { codeBytesMax: 1_000, codeBytes: 999, concurrencyMax: 1_000, unreserved: 1_000 },
    });
    expect(await brief(full, late(600))).toEqual(["query/late  CODE_STORAGE_FULL"]);
  });

  it("is given where both versions cannot be kept warm while lanes cross", async () => {
    const world = new World();
    const lambda = { reservedConcurrency: 10, provisionedConcurrency: 6 };
    const before = { ...streams, ...late(600, lambda) };
    expect(await brief(world, late(700, lambda), before)).toEqual([
      "query/late lambda.provisionedConcurrency PROVISIONED_OVERLAP",
    ]);
    expect(await brief(world, late(700, { ...lambda, reservedConcurrency: 12 }), before)).toEqual([]);
  });

  it("is given where the conductor may not look", async () => {
    const world = new World();
    world.region.fault = ({ operation }) =>
      operation === "getFunction" ? { kind: "denied", when: "before" } : undefined;
    expect(await brief(world, late(600))).toEqual(["query/late  ACCESS_DENIED"]);
  });
});

it("warns in the plan, and does not veto, where the account's limits cannot be had", async () => {
  const world = new World();
  world.region.account = undefined;
  expect(await review(world, requestOf(late(600)))).toMatchObject({
    vote: "accept",
    plan: {
      cost: expect.stringContaining(
        "warning: code storage and concurrency of the account could not be checked",
      ),
    },
  });
});

it("looks again when AWS is throttled or away, until the review's time", async () => {
  const world = new World();
  let left = 6;
  world.region.fault = () =>
    left-- > 0 ? { kind: left % 2 ? "throttled" : "unavailable", when: "before" } : undefined;
  expect(await review(world, requestOf(late(600)))).toMatchObject({ vote: "accept" });
});

it("reads trust policies as IAM writes them, and does not take a denial for a yes", () => {
  const of = (statement: object): boolean => trustsLambda(JSON.stringify({ Statement: statement }));
  const principal = { Principal: { Service: "lambda.amazonaws.com" } };
  expect(of({ Effect: "Allow", Action: "sts:AssumeRole", ...principal })).toBe(true);
  expect(of([{ Effect: "Allow", Action: ["sts:TagSession", "sts:AssumeRole"], ...principal }])).toBe(true);
  expect(of({ Effect: "Deny", Action: "sts:AssumeRole", ...principal })).toBe(false);
  expect(of({ Effect: "Allow", Action: "sts:AssumeRole", Principal: { AWS: "*" } })).toBe(false);
  expect(trustsLambda("")).toBe(false);
  expect(trustsLambda("{}")).toBe(false);
});
