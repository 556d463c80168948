import { afterAll, beforeAll, expect, it } from "vitest";
import { AbortCause, Phase } from "@greco/contracts/greco/commit/v1/commit";
import { VoterPolicy } from "@greco/contracts/greco/model/v1/model";
import { epoch, modelId } from "@greco/domain/model";
import {
  accept,
  acceptReady,
  bystander,
  claimsOf,
  failed,
  HASH,
  veto,
  type Script,
} from "./testing/conductor.ts";
import { errorOf, eventually, options, signal, World } from "./testing/world.ts";

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

const claimsAll: Script = { review: (review) => acceptReady(claimsOf(review)) };

it("I5: commits: review, prepare, promote, ledger, settle", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", {}, model);
  const other = await world.conductor("other", bystander, model);
  const { name, phase } = await world.makeItSo("x", { model });
  expect(phase).toBe(Phase.QUEUED);
  const settled = await world.settled(name);
  expect(settled).toMatchObject({
    committed: true,
    version: 1n,
    baseVersion: 0n,
    reason: "test",
    actor: "rhea",
  });
  expect(settled.voters).toMatchObject([
    { conductor: "conductors/other", ready: true, settled: true },
    { conductor: "conductors/owner", ready: true, settled: true },
  ]);
  expect(await world.head(model)).toBe(1);
  const [entry] = await world.laneStore.readLedger(modelId(model), epoch(0), 10, signal);
  expect(entry).toMatchObject({
    epoch: 1,
    scope: ["stream/dead-letters@0", "stream/epochs@0", "stream/x@1"],
    bindings: [{ entity: "stream/x@1", hash: HASH, removed: false }],
  });
  await eventually(
    () => other.told("committed").length,
    (count) => count > 0,
  );
  expect(owner.told("review")).toHaveLength(1);
  expect(other.told("prepare")[0]?.addressees).toEqual(["conductors/owner"]);
});

it("commits without a prepare where every accept carries ready", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", claimsAll, model);
  expect(await world.settled((await world.makeItSo("x", { model })).name)).toMatchObject({ committed: true });
  expect(owner.told("prepare")).toEqual([]);
});

it("a veto aborts, tells every voter, and frees the slot for the next", async () => {
  const model = await newModel();
  const critic = await world.conductor("critic", { review: () => veto }, model);
  const owner = await world.conductor("owner", claimsAll, model);
  const settled = await world.settled((await world.makeItSo("x", { model })).name);
  expect(settled).toMatchObject({
    committed: false,
    abortCause: AbortCause.VETOED,
    message: "critic vetoed it: it is too wide (make it narrow)",
  });
  expect(settled.voters.map((voter) => voter.settled)).toEqual([true, true]);
  for (const each of [critic, owner]) expect(each.told("settle").length).toBeGreaterThan(0);
  critic.script = bystander;
  const next = await world.settled((await world.makeItSo("y", { model })).name);
  expect(next).toMatchObject({ committed: true, version: 1n });
});

it("a prepare that fails aborts, and says why", async () => {
  const model = await newModel();
  await world.conductor("owner", { prepare: () => failed }, model);
  expect(await world.settled((await world.makeItSo("x", { model })).name)).toMatchObject({
    abortCause: AbortCause.FAILED,
    message: "owner could not prepare it: it is too wide (make it narrow)",
    voters: [{ findings: [{ reason: "TOO_WIDE", fieldPath: "schema" }] }],
  });
  expect(await world.head(model)).toBe(0);
});

it.each([
  ["none", [bystander], "stream/x by none"],
  ["two", [claimsAll, claimsAll], "stream/x by c0 and c1"],
])("an entity that %s claim aborts", async (_, scripts, message) => {
  const model = await newModel();
  for (const [index, script] of scripts.entries()) await world.conductor(`c${index}`, script, model);
  const settled = await world.settled((await world.makeItSo("x", { model })).name);
  expect(settled).toMatchObject({ committed: false, abortCause: AbortCause.FAILED });
  expect(settled.message).toContain(message);
});

it("with the policy affected asks only who owns an affected kind, or every kind", async () => {
  const model = await newModel();
  const { registry } = world.as("ada");
  const before = await registry.getModel({ name: `models/${model}` }, options);
  await registry.updateModel({ model: { ...before, voters: VoterPolicy.AFFECTED } }, options);
  await world.conductor("streams", { ...claimsAll, kinds: ["stream"] }, model);
  await world.conductor("audit", bystander, model);
  await world.conductor("tables", { review: () => veto, kinds: ["table"] }, model);
  const settled = await world.settled((await world.makeItSo("x", { model })).name);
  expect(settled.voters.map((voter) => voter.conductor)).toEqual(["conductors/audit", "conductors/streams"]);
  expect(settled.committed).toBe(true);
});

it("queues what comes while another prepares; what is stale when its turn comes aborts before any review", async () => {
  const model = await newModel();
  let allow = false;
  const owner = await world.conductor(
    "owner",
    { review: (review) => (allow ? acceptReady(claimsOf(review)) : undefined) },
    model,
  );
  const first = await world.makeItSo("x", { model });
  await world.until(first.name, (proposal) => proposal.phase === Phase.PROPOSED);
  const second = await world.makeItSo("y", { model });
  const third = await world.makeItSo("z", { model });
  expect([second, third].map((each) => each.queuePosition)).toEqual([1, 2]);
  allow = true;
  expect(await world.settled(first.name)).toMatchObject({ committed: true, queuePosition: 0 });
  const stale = await world.settled(second.name);
  expect(stale).toMatchObject({ abortCause: AbortCause.STALE, voters: [] });
  expect(stale.message).toContain("made on version 0, and the head is 1 now: rebase the draft");
  const reviews = owner.told("review").map((each) => each.commandId.split(".")[0]);
  expect(new Set(reviews)).toEqual(new Set([first.candidate]));
});

it("I3: a chain of commits, each on the one before", async () => {
  const model = await newModel();
  await world.conductor("owner", claimsAll, model);
  for (let version = 1; version <= 4; version += 1)
    expect(await world.settled((await world.makeItSo(`s${version}`, { model })).name)).toMatchObject({
      baseVersion: BigInt(version - 1),
      version: BigInt(version),
    });
  const ledger = await world.laneStore.readLedger(modelId(model), epoch(0), 10, signal);
  expect(ledger.map((entry) => entry.epoch)).toEqual([1, 2, 3, 4]);
});

it("rolls back by a forward version with an older one's content", async () => {
  const model = await newModel();
  await world.conductor("owner", {}, model);
  for (const id of ["x", "y"]) await world.settled((await world.makeItSo(id, { model })).name);
  const request = { model: `models/${model}`, toVersion: 1n, reason: "wrong" };
  const { name, restoresVersion } = await world.as("rhea").commit.rollback(request, options);
  expect(restoresVersion).toBe(1n);
  expect(await world.settled(name)).toMatchObject({ committed: true, version: 3n, restoresVersion: 1n });
  const { registry } = world.as("vera");
  const { entities } = await registry.listEntities({ parent: `models/${model}` }, options);
  expect(entities.map((entity) => entity.name)).toEqual([`models/${model}/entities/stream/x`]);
  expect(
    await errorOf(world.as("rhea").commit.rollback({ ...request, toVersion: 9n }, options)),
  ).toMatchObject({
    code: "NOT_FOUND",
  });
});

it("I15: what freeze refuses is refused as the registry says it, and nothing is proposed", async () => {
  const model = await newModel();
  const { commit, registry } = world.as("rhea");
  const { draft } = await world.draft("x", model);
  expect(await errorOf(commit.makeItSo({ draft, etag: "other" }, options))).toMatchObject({
    code: "ABORTED",
    reason: "STALE_ETAG",
  });
  expect(
    await errorOf(commit.makeItSo({ draft: `models/${model}/drafts/none`, etag: "e" }, options)),
  ).toMatchObject({
    code: "NOT_FOUND",
  });
  const change = {
    entity: `models/${model}/entities/query/q`,
    action: { case: "putSpecJson", value: "{}" },
  } as const;
  expect(await errorOf(commit.makeItSo({ draft }, options))).toMatchObject({
    code: "INVALID_ARGUMENT",
    reason: "ETAG_REQUIRED",
    violations: [{ field: "etag" }],
  });
  const before = await registry.getDraft({ name: draft }, options);
  const edited = await registry.editDraft({ name: draft, etag: before.etag, changes: [change] }, options);
  const etag = edited.draft?.etag ?? "";
  expect(await errorOf(commit.makeItSo({ draft, etag }, options))).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "DRAFT_INVALID",
  });
  const confirmWithin = { seconds: -1n };
  expect(await errorOf(commit.makeItSo({ draft, etag, confirmWithin }, options))).toMatchObject({
    code: "INVALID_ARGUMENT",
    violations: [{ field: "confirm_within" }],
  });
  expect((await commit.listProposals({ parent: `models/${model}` }, options)).proposals).toEqual([]);
});

it("repeats of a request get its first answer; validate_only proposes nothing", async () => {
  const model = await newModel();
  await world.conductor("owner", claimsAll, model);
  const { commit } = world.as("rhea");
  const { draft, etag } = await world.draft("x", model);
  const validated = await commit.makeItSo({ draft, etag, validateOnly: true }, options);
  expect(validated).toMatchObject({ name: "", baseVersion: 0n, scope: ["stream/x@1"] });
  const request = { draft, etag, requestId: "once" };
  const first = await commit.makeItSo(request, options);
  expect((await commit.makeItSo(request, options)).name).toBe(first.name);
  await world.settled(first.name);
  expect((await commit.makeItSo(request, options)).name).toBe(first.name);
  expect((await commit.listProposals({ parent: `models/${model}` }, options)).proposals).toHaveLength(1);
});

it("I11: an absent voter leads to abort within the deadline, and is told when it comes back", async () => {
  await using quick = await World.open({ limits: { reviewMs: 400, intervalMs: 100 } });
  await quick.model();
  const absent = await quick.conductor("absent", { review: () => undefined, settle: () => false });
  const { name } = await quick.makeItSo("x");
  const aborted = await quick.until(name, (proposal) => proposal.phase === Phase.ABORTED);
  expect(aborted).toMatchObject({ abortCause: AbortCause.EXPIRED });
  expect(aborted.message).toContain("no answer in time from absent");
  absent.script = {};
  expect((await quick.settled(name)).voters).toMatchObject([{ settled: true }]);
});

it("announces in chunks what is large, and promotes what the store takes only in parts", async () => {
  await using wide = await World.open({ limits: { chunkBytes: 2_000, partBytes: 4_000 } });
  await wide.model();
  const owner = await wide.conductor("owner");
  const { registry } = wide.as("ed");
  const made = await registry.createDraft({ parent: "models/m", draftId: "d", draft: {} }, options);
  const changes = Array.from({ length: 800 }, (_, index) => ({
    entity: `models/m/entities/stream/s-${index}`,
    action: { case: "putSpecJson", value: '{"schema":true}' } as const,
  }));
  const { draft } = await registry.editDraft({ name: made.name, etag: made.etag, changes }, options);
  const { name } = await wide
    .as("rhea")
    .commit.makeItSo({ draft: made.name, etag: draft?.etag ?? "" }, options);
  expect(await wide.settled(name)).toMatchObject({ committed: true, version: 1n });
  const review = owner.told("review")[0]?.command;
  expect(review?.case === "review" && review.value.changes).toHaveLength(800);
  const [entry] = await wide.laneStore.readLedger(modelId("m"), epoch(0), 1, signal);
  expect([entry?.bindings.length, entry?.scope.length]).toEqual([800, 802]);
});

it("the time to prepare follows the plans", async () => {
  const model = await newModel();
  const plan = { claims: [`models/${model}/entities/stream/x`], prepareTime: { seconds: 120n } };
  await world.conductor(
    "owner",
    { review: () => ({ case: "accept", value: { plan } }), prepare: () => undefined },
    model,
  );
  const { name } = await world.makeItSo("x", { model });
  const { remaining } = await world.until(name, (proposal) => proposal.phase === Phase.ACCEPTED);
  expect(Number(remaining?.seconds)).toBeGreaterThan(200);
  await world.as("rhea").commit.withdrawProposal({ name }, options);
  await world.settled(name);
});

it("a proposal is withdrawn once, and not behind the decision", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", { review: () => undefined }, model);
  const { commit } = world.as("rhea");
  const { name } = await world.makeItSo("x", { model });
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  expect(await commit.withdrawProposal({ name, reason: "oops" }, options)).toMatchObject({
    abortCause: AbortCause.WITHDRAWN,
    message: "withdrawn by rhea: oops",
  });
  await eventually(
    () => owner.told("settle").length,
    (count) => count > 0,
  );
  expect(await errorOf(commit.withdrawProposal({ name }, options))).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "ALREADY_WITHDRAWN",
  });
  owner.script = { review: (review) => accept(claimsOf(review)) };
  const second = await world.makeItSo("y", { model });
  await world.settled(second.name);
  expect(await errorOf(commit.withdrawProposal({ name: second.name }, options))).toMatchObject({
    reason: "ALREADY_COMMITTED",
    preconditions: [{ type: "ALREADY_COMMITTED", subject: second.name }],
  });
});

it("I5: refuses to promote when the ledger is ahead of the head", async () => {
  const model = await newModel();
  await world.conductor("owner", claimsAll, model);
  const ahead = {
    model: modelId(model),
    epoch: epoch(1),
    candidate: "gone",
    scope: [],
    bindings: [],
    committedAtMs: 1,
  };
  await world.laneStore.appendLedger(ahead as never, signal);
  const settled = await world.settled((await world.makeItSo("x", { model })).name);
  expect(settled).toMatchObject({ committed: false, abortCause: AbortCause.FAILED });
  expect(settled.message).toContain("ledger is ahead of the head (it has epoch 1, the head is 0)");
  expect(await world.head(model)).toBe(0);
});

it("each step that somebody took is in the audit log", async () => {
  const model = await newModel();
  await world.conductor("owner", claimsAll, model);
  await world.settled((await world.makeItSo("x", { model })).name);
  const { auditRecords } = await world
    .as("vera")
    .registry.listAuditRecords({ parent: `models/${model}` }, options);
  const told = auditRecords.map(
    ({ method, outcome, actor }) => `${method.split("/")[1]} ${outcome} ${actor}`,
  );
  expect(told).toEqual(
    expect.arrayContaining([
      "MakeItSo proposed rhea",
      "Promote promoted rhea",
      "RegisterConductor active conductors/owner",
    ]),
  );
});
