import { afterAll, beforeAll, expect, it } from "vitest";
import { Confirmation_State as State, Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { acceptReady, claimsOf, veto, type Script, type ScriptedConductor } from "./testing/conductor.ts";
import { errorOf, eventually, options, World } from "./testing/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open({ limits: { intervalMs: 100 } });
});
afterAll(() => world[Symbol.asyncDispose]());

let models = 0;
const claimsAll: Script = { review: (review) => acceptReady(claimsOf(review)) };

/** Version 1 stands; version 2 is committed and waits. */
async function armed(
  seconds: bigint,
  script: Script = claimsAll,
): Promise<{ model: string; owner: ScriptedConductor; waiting: Proposal }> {
  const model = `m${(models += 1)}`;
  await world.model(model);
  const owner = await world.conductor("owner", claimsAll, model);
  await world.settled((await world.makeItSo("x", { model })).name);
  owner.script = script;
  const { name } = await world.makeItSo("y", { model, confirmWithin: { seconds } });
  const waiting = await world.until(name, (proposal) => proposal.phase === Phase.MARKED);
  return { model, owner, waiting };
}

const entities = async (model: string): Promise<string[]> => {
  const { entities: all } = await world
    .as("vera")
    .registry.listEntities({ parent: `models/${model}` }, options);
  return all.map((each) => each.name.split("/").slice(-1)[0] ?? "");
};

it("voters review the way back too; confirmed, it stands, and they are told a second time", async () => {
  const { model, owner, waiting } = await armed(600n);
  expect(waiting).toMatchObject({ committed: true, version: 2n, confirmation: { state: State.ARMED } });
  expect(Number(waiting.confirmation?.remaining?.seconds)).toBeGreaterThan(590);
  const [review] = owner.told("review").filter((each) => each.commandId.startsWith(waiting.candidate));
  expect(review?.command).toMatchObject({ value: { wayBack: true } });
  const { commit } = world.as("rhea");
  expect(await commit.confirmProposal({ name: waiting.name }, options)).toMatchObject({
    confirmation: { state: State.CONFIRMED, confirmedBy: "rhea" },
  });
  expect(await world.settled(waiting.name)).toMatchObject({ confirmation: { state: State.CONFIRMED } });
  const settles = owner.told("settle").filter((each) => each.commandId.startsWith(waiting.candidate));
  expect(settles.map(({ command }) => command.case === "settle" && command.value.armed)).toEqual(
    expect.arrayContaining([true, false]),
  );
  expect(await errorOf(commit.confirmProposal({ name: waiting.name }, options))).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "ALREADY_CONFIRMED",
  });
  expect(await entities(model)).toEqual(["x", "y"]);
  const { auditRecords } = await world
    .as("vera")
    .registry.listAuditRecords({ parent: `models/${model}` }, options);
  expect(auditRecords).toContainEqual(expect.objectContaining({ outcome: "confirmed", actor: "rhea" }));
});

it("a veto of the way back is a veto", async () => {
  const model = `m${(models += 1)}`;
  await world.model(model);
  const script: Script = { review: (review) => (review.wayBack ? veto : acceptReady(claimsOf(review))) };
  await world.conductor("owner", script, model);
  const { name } = await world.makeItSo("x", { model, confirmWithin: { seconds: 60n } });
  expect(await world.settled(name)).toMatchObject({ committed: false });
});

it("while it waits, the model takes no other proposal", async () => {
  const { model, waiting } = await armed(600n);
  const { commit } = world.as("rhea");
  const error = await errorOf(world.makeItSo("z", { model }));
  expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "CONFIRMATION_PENDING" });
  expect(error.message).toContain(`${waiting.name} waits for its confirmation`);
  const back = { model: `models/${model}`, toVersion: 0n };
  expect(await errorOf(commit.rollback(back, options))).toMatchObject({ reason: "CONFIRMATION_PENDING" });
  await commit.confirmProposal({ name: waiting.name }, options);
  const draft = `models/${model}/drafts/z`;
  const { etag } = await world.as("rhea").registry.getDraft({ name: draft }, options);
  expect(await world.settled((await commit.makeItSo({ draft, etag }, options)).name)).toMatchObject({
    version: 3n,
  });
});

it("not confirmed in time, it is reverted by a forward epoch", async () => {
  const { model, owner, waiting } = await armed(1n);
  const reverted = await world.settled(waiting.name);
  expect(reverted).toMatchObject({ committed: true, version: 2n, confirmation: { state: State.REVERTED } });
  const revert = await world.settled(reverted.confirmation?.revertProposal ?? "");
  expect(revert).toMatchObject({ committed: true, version: 3n, restoresVersion: 1n, actor: "coordinator" });
  expect(await entities(model)).toEqual(["x"]);
  const { auditRecords } = await world
    .as("vera")
    .registry.listAuditRecords({ parent: `models/${model}` }, options);
  expect(auditRecords.filter(({ outcome }) => outcome === "reverting")).toMatchObject([
    { actor: "coordinator", resource: waiting.name, reason: "it was not confirmed in time" },
  ]);
  expect(
    await errorOf(world.as("rhea").commit.confirmProposal({ name: waiting.name }, options)),
  ).toMatchObject({
    reason: "ALREADY_REVERTED",
  });
  expect(await world.settled((await world.makeItSo("z", { model })).name)).toMatchObject({ version: 4n });
  expect(owner.refusals).toEqual([]);
});

it("lists a revert as what it is: newer than what was made while its commit prepared", async () => {
  const model = `m${(models += 1)}`;
  await world.model(model);
  const owner = await world.conductor("owner", claimsAll, model);
  await world.settled((await world.makeItSo("x", { model })).name);
  owner.script = { review: () => undefined };
  const y = await world.makeItSo("y", { model, confirmWithin: { seconds: 600n } });
  const z = await world.makeItSo("z", { model });
  owner.script = claimsAll;
  await world.until(y.name, (proposal) => proposal.phase === Phase.MARKED);
  const { commit } = world.as("rhea");
  const { confirmation } = await commit.rollback({ model: `models/${model}`, toVersion: 1n }, options);
  await world.settled(y.name);
  const { proposals } = await commit.listProposals({ parent: `models/${model}`, pageSize: 3 }, options);
  expect(proposals.map(({ name }) => name)).toEqual([confirmation?.revertProposal, z.name, y.name]);
});

it("a rollback to its base is its revert, sooner", async () => {
  const { model, waiting } = await armed(600n);
  const { commit } = world.as("rhea");
  const request = { model: `models/${model}`, toVersion: 1n, reason: "it smells" };
  const rejected = await commit.rollback(request, options);
  expect(rejected).toMatchObject({ name: waiting.name, confirmation: { state: State.REVERTED } });
  expect(await world.settled(waiting.name)).toMatchObject({ confirmation: { state: State.REVERTED } });
  expect(await entities(model)).toEqual(["x"]);
});

it("a repeat of a request gets its first answer, also while the model waits; another one under its id is refused", async () => {
  const { model } = await armed(600n);
  const { commit } = world.as("rhea");
  const parent = `models/${model}`;
  const back = { model: parent, toVersion: 1n, reason: "it smells", requestId: "back" };
  const rejected = await commit.rollback(back, options);
  expect((await commit.rollback(back, options)).name).toBe(rejected.name);
  await world.settled(rejected.name);
  expect((await commit.rollback(back, options)).name).toBe(rejected.name);
  const { draft, etag } = await world.draft("z", model);
  const within = { confirmWithin: { seconds: 600n } };
  const request = { draft, etag, reason: "z", requestId: "z", ...within };
  const { name } = await commit.makeItSo(request, options);
  await world.until(name, (proposal) => proposal.phase === Phase.MARKED);
  expect((await commit.makeItSo(request, options)).name).toBe(name);
  const others = [{ reason: "another" }, { confirmWithin: { seconds: 60n } }];
  const refused = async (): Promise<void> => {
    for (const other of others)
      expect(await errorOf(commit.makeItSo({ ...request, ...other }, options))).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "REQUEST_ID_REUSED",
      });
  };
  await refused();
  expect((await commit.rollback(back, options)).name).toBe(rejected.name);
  await commit.confirmProposal({ name }, options);
  await world.settled(name);
  await refused();
  expect((await commit.makeItSo(request, options)).name).toBe(name);
});

it("a revert that is vetoed is tried again until it is made; it cannot be withdrawn", async () => {
  const vetoes: Script = {
    review: (review) =>
      (review.candidate?.restoresVersion ?? 0n) > 0n ? veto : acceptReady(claimsOf(review)),
  };
  const { model, owner, waiting } = await armed(1n, vetoes);
  const names = new Set<string>();
  await eventually(
    async () => {
      const { proposals } = await world
        .as("vera")
        .commit.listProposals({ parent: `models/${model}` }, options);
      for (const each of proposals) if (each.restoresVersion > 0n) names.add(each.name);
      return names.size;
    },
    (count) => count >= 2,
  );
  const [open] = (
    await world.as("vera").commit.listProposals({ parent: `models/${model}` }, options)
  ).proposals.filter((each) => each.restoresVersion > 0n && each.phase < Phase.COMMITTED);
  if (open !== undefined)
    expect(["REVERT_IS_OWED", "ALREADY_ABORTED"]).toContain(
      (await errorOf(world.as("rhea").commit.withdrawProposal({ name: open.name }, options))).reason,
    );
  owner.script = claimsAll;
  expect(await world.settled(waiting.name)).toMatchObject({ confirmation: { state: State.REVERTED } });
  expect(await entities(model)).toEqual(["x"]);
});

it("I2: confirm or revert is decided once, whoever tries at the same moment", async () => {
  const { model, waiting } = await armed(600n);
  const { commit } = world.as("rhea");
  const back = { model: `models/${model}`, toVersion: 1n };
  const tries = await Promise.allSettled([
    ...[1, 2, 3].map(() => commit.confirmProposal({ name: waiting.name }, options)),
    commit.rollback(back, options),
  ]);
  const { confirmation } = await world.settled(waiting.name);
  const confirms = tries.slice(0, 3).filter((each) => each.status === "fulfilled").length;
  expect(confirms).toBe(confirmation?.state === State.CONFIRMED ? 1 : 0);
  const left = await entities(model);
  if (confirmation?.state === State.REVERTED) expect(left).toEqual(["x"]);
});

it("survives the coordinator: armed before, confirmed or reverted after", async () => {
  await using other = await World.open({ limits: { intervalMs: 100 } });
  await other.model();
  const owner = await other.conductor("owner", claimsAll);
  const { name } = await other.makeItSo("x", { confirmWithin: { seconds: 2n } });
  await other.until(name, (proposal) => proposal.phase === Phase.MARKED);
  await other.stopCoordinator();
  await other.startCoordinator();
  owner.client = other.as("conductor:owner").conductors;
  const reverted = await other.settled(name);
  expect(reverted).toMatchObject({ confirmation: { state: State.REVERTED } });
  expect(await other.head()).toBe(2);
});

it("I15: there is nothing to confirm before the commit, and nothing where nothing waits", async () => {
  const model = `m${(models += 1)}`;
  await world.model(model);
  const owner = await world.conductor("owner", { review: () => undefined }, model);
  const { commit } = world.as("rhea");
  const { name } = await world.makeItSo("x", { model });
  expect((await errorOf(commit.confirmProposal({ name }, options))).reason).toBe("NOT_COMMITTED");
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  owner.script = claimsAll;
  await world.settled(name);
  expect((await errorOf(commit.confirmProposal({ name }, options))).reason).toBe("NOT_ARMED");
  expect(
    (await errorOf(commit.confirmProposal({ name: `models/${model}/proposals/none` }, options))).reason,
  ).toBe("PROPOSAL_NOT_FOUND");
});
