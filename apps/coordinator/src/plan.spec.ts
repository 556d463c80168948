import { afterAll, beforeAll, expect, it } from "vitest";
import type { PlanResponse } from "@greco/contracts/greco/commit/v1/commit";
import { PlanStep_Action as Action, PlanStep_Risk as Risk } from "@greco/contracts/greco/commit/v1/commit";
import { acceptReady, bystander, claimsOf, veto, type Script } from "./testing/conductor.ts";
import { errorOf, eventually, options, World } from "./testing/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

let models = 0;
async function newModel(): Promise<string> {
  const model = `m${(models += 1)}`;
  await world.model(model);
  return model;
}

async function plan(draft: string, timeoutMs = 5_000, at = world) {
  const seconds = BigInt(Math.floor(timeoutMs / 1000));
  const timeout = { seconds, nanos: (timeoutMs % 1000) * 1_000_000 };
  const parts: PlanResponse["part"][] = [];
  for await (const { part } of at.as("ed").commit.plan({ draft, timeout }, options)) parts.push(part);
  const first = parts[0];
  const last = parts.at(-1);
  return {
    header: first?.case === "header" ? first.value : undefined,
    conductors: parts.flatMap((part) => (part.case === "conductor" ? [part.value] : [])),
    differences: parts.flatMap((part) => (part.case === "difference" ? [part.value] : [])),
    summary: last?.case === "summary" ? last.value : undefined,
  };
}

const steps = [
  { action: Action.CREATE, object: "lanes of x", risk: Risk.LOW },
  { action: Action.DELETE, object: "lanes of y", risk: Risk.HIGH },
];
const planner: Script = {
  review: (review) => ({
    case: "accept",
    value: { plan: { steps, claims: claimsOf(review), cost: "nothing" } },
  }),
};

it("shows what every conductor would do, riskiest first, and changes nothing", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", planner, model);
  await world.conductor("other", bystander, model);
  const { draft } = await world.draft("x", model);
  const { header, conductors, differences, summary } = await plan(draft);
  expect(header).toMatchObject({
    conductors: ["conductors/other", "conductors/owner"],
    changeCount: 1n,
    scope: ["stream/x@1"],
    findings: [],
  });
  const told = conductors.find((each) => each.conductor === "conductors/owner");
  expect(told?.plan?.steps.map((step) => step.object)).toEqual(["lanes of y", "lanes of x"]);
  expect(told?.plan).toMatchObject({ cost: "nothing", claims: [`models/${model}/entities/stream/x`] });
  expect(differences.map((each) => each.entity)).toEqual([`models/${model}/entities/stream/x`]);
  expect(summary).toMatchObject({ acceptable: true, findings: [], silent: [] });
  expect(owner.told("review")[0]?.command).toMatchObject({ value: { planOnly: true } });
  expect(
    (await world.as("vera").commit.listProposals({ parent: `models/${model}` }, options)).proposals,
  ).toEqual([]);
  expect(await world.head(model)).toBe(0);
});

it("asks again who has not answered, since the control log may lose what it is given", async () => {
  let lost = 0;
  await using losing = await World.open({
    wrap: {
      controlLog: (log) => ({
        publish: (model, ...rest) =>
          model === "lossy" && lost++ < 2 ? Promise.resolve() : log.publish(model, ...rest),
        subscribe: (...asked) => log.subscribe(...asked),
        [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
      }),
    },
  });
  await losing.model("lossy");
  await losing.conductor("owner", planner, "lossy");
  await losing.conductor("other", bystander, "lossy");
  const { draft } = await losing.draft("x", "lossy");
  lost = 0;
  const { summary } = await plan(draft, 30_000, losing);
  expect([lost > 2, summary]).toMatchObject([true, { silent: [], acceptable: true }]);
});

it("names vetoes, who keeps silent, and what nobody claims", async () => {
  const model = await newModel();
  await world.conductor("critic", { kinds: ["query"], review: () => veto }, model);
  await world.conductor("silent", { kinds: ["table"], review: () => undefined }, model);
  await world.conductor("other", bystander, model);
  const { draft } = await world.draft("x", model);
  const { conductors, summary } = await plan(draft, 2_000);
  expect(conductors.toSorted((a, b) => (a.conductor < b.conductor ? -1 : 1))).toMatchObject([
    { conductor: "conductors/critic", findings: [{ reason: "TOO_WIDE" }] },
    { conductor: "conductors/other", findings: [] },
  ]);
  expect(summary).toMatchObject({
    acceptable: false,
    silent: ["conductors/silent"],
    findings: [{ entity: `models/${model}/entities/stream/x`, reason: "CLAIMED_BY_NONE" }],
  });
});

it("lists the first thousand of what is wrong, and says how much there is", async () => {
  const model = await newModel();
  await world.conductor("other", bystander, model);
  const { draft, etag } = await world.draft("x", model);
  const changes = Array.from({ length: 1_009 }, (_, at) => ({
    entity: `models/${model}/entities/stream/s${at}`,
    action: { case: "putSpecJson", value: '{"lanes":1,"schema":{}}' } as const,
  }));
  await world.as("ed").registry.editDraft({ name: draft, etag, changes }, options);
  const { header, differences, summary } = await plan(draft);
  expect(header).toMatchObject({ changeCount: 1_010n, scopeCount: 1_010n, findingCount: 0n });
  expect([header?.scope.length, differences.length]).toEqual([1_000, 1_000]);
  expect([summary?.findings.length, summary?.findingCount]).toEqual([1_000, 1_010n]);
});

it.each(["vetoes", "keeps silent"])("says nothing of claims where who might claim %s", async (what) => {
  const model = await newModel();
  const review: Script["review"] = () => (what === "vetoes" ? veto : undefined);
  await world.conductor("owner", { kinds: ["stream"], review }, model);
  await world.conductor("other", bystander, model);
  const { draft } = await world.draft("x", model);
  const { summary } = await plan(draft, 300);
  expect(summary).toMatchObject({ acceptable: false, findings: [] });
});

it("shows what freeze would refuse, without asking anybody", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", planner, model);
  const { draft, etag } = await world.draft("x", model);
  const change = {
    entity: `models/${model}/entities/query/q`,
    action: { case: "putSpecJson", value: "{}" },
  } as const;
  await world.as("ed").registry.editDraft({ name: draft, etag, changes: [change] }, options);
  const { header, summary } = await plan(draft);
  expect(header?.findings.length).toBeGreaterThan(0);
  expect(summary).toMatchObject({ acceptable: false });
  expect(owner.told("review")).toEqual([]);
});

it("an answer to a plan that is over, or from who was not asked, is refused", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", planner, model);
  const { draft } = await world.draft("x", model);
  await plan(draft);
  const [review] = await eventually(
    () => owner.told("review"),
    (all) => all.length > 0,
  );
  const { commandId } = review ?? { commandId: "" };
  expect(await errorOf(owner.answer({ commandId }, acceptReady()))).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "PLAN_ENDED",
  });
  expect(await errorOf(owner.answer({ commandId }, acceptReady(), { incarnation: 9n }))).toMatchObject({
    reason: "UNKNOWN_INCARNATION",
  });
});

it("I15: a plan of no draft, of a stale etag, or with no time is refused", async () => {
  const model = await newModel();
  const { draft } = await world.draft("x", model);
  const ends = async (request: { draft: string; etag?: string; timeout?: { seconds: bigint } }) => {
    const { commit } = world.as("ed");
    return await errorOf(
      (async () => {
        for await (const _ of commit.plan(request, options));
      })(),
    );
  };
  expect((await ends({ draft: `models/${model}/drafts/none` })).code).toBe("NOT_FOUND");
  expect(await ends({ draft, etag: "old" })).toMatchObject({ code: "ABORTED", reason: "STALE_ETAG" });
  expect(await ends({ draft, timeout: { seconds: 100_000n } })).toMatchObject({
    code: "INVALID_ARGUMENT",
    violations: [{ field: "timeout" }],
  });
});
