import { afterAll, beforeAll, expect, it } from "vitest";
import { AbortCause, Phase } from "@greco/contracts/greco/commit/v1/commit";
import { Conductor_State as State } from "@greco/contracts/greco/conductor/v1/conductor";
import { PersonRole } from "@greco/contracts/greco/model/v1/model";
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

const claimsAll: Script = { review: (review) => acceptReady(claimsOf(review)) };
const get = (model: string, name: string) =>
  world.as("ada").conductors.getConductor({ model: `models/${model}`, name: `conductors/${name}` }, options);
const isFor =
  (name: string) =>
  ({ addressees }: { addressees: string[] }): boolean =>
    addressees.includes(`conductors/${name}`);
const commit = async (model: string, id: string) =>
  await world.settled((await world.makeItSo(id, { model })).name);

it("counts at once while nothing is committed, and again after each start", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", { kinds: ["stream"] }, model);
  expect(await get(model, "owner")).toMatchObject({ state: State.ACTIVE, sinceVersion: 0n, incarnation: 1n });
  owner.script = { kinds: ["stream"], incarnation: 2 };
  expect(await owner.register()).toMatchObject({ state: State.ACTIVE, incarnation: 2n, kinds: ["stream"] });
  owner.script = { kinds: ["stream"], incarnation: 1 };
  expect(await errorOf(owner.register())).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "OLD_INCARNATION",
  });
  expect(await get(model, "owner")).toMatchObject({ incarnation: 2n });
});

it("a restart disturbs no proposal; a change of kinds does, because it changes who votes", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", { review: () => undefined }, model);
  const { name } = await world.makeItSo("x", { model });
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  owner.script = { ...claimsAll, incarnation: 2 };
  await owner.register();
  expect(await world.settled(name)).toMatchObject({ committed: true });
});

it("I1: who comes while another proposal prepares joins behind it, by a proposal without changes", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", claimsAll, model);
  await commit(model, "x");
  owner.script = { review: () => undefined };
  const { name } = await world.makeItSo("y", { model });
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  const late = await world.conductor("late", bystander, model);
  expect(await get(model, "late")).toMatchObject({ state: State.JOINING });
  owner.script = claimsAll;
  expect(await world.settled(name)).toMatchObject({ committed: true, version: 2n, voters: [{}] });
  const joined = await eventually(
    () => get(model, "late"),
    (each) => each.state === State.ACTIVE,
  );
  expect(joined.sinceVersion).toBe(3n);
  const [review] = late.told("review").filter((each) => each.addressees.includes("conductors/late"));
  expect(review?.command).toMatchObject({
    value: { join: true, changes: [], candidate: { baseVersion: 2n } },
  });
  expect((await commit(model, "z")).voters.map((voter) => voter.conductor)).toEqual([
    "conductors/late",
    "conductors/owner",
  ]);
});

it("a join that is vetoed is tried again until it is accepted", async () => {
  const model = await newModel();
  await world.conductor("owner", claimsAll, model);
  await commit(model, "x");
  const late = await world.conductor("late", { review: () => veto }, model);
  await eventually(
    () => new Set(late.told("review").map((each) => each.commandId)).size,
    (count) => count >= 2,
  );
  expect(await get(model, "late")).toMatchObject({ state: State.JOINING });
  late.script = bystander;
  await eventually(
    () => get(model, "late"),
    (each) => each.state === State.ACTIVE,
  );
});

it("deregistered: its open candidates abort, it is excused, and must register anew", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", claimsAll, model);
  const gone = await world.conductor("gone", { review: () => undefined, settle: () => false }, model);
  const { name } = await world.makeItSo("x", { model });
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  const { conductors } = world.as("ada");
  const request = { model: `models/${model}`, name: "conductors/gone", reason: "its cluster is no more" };
  expect(await conductors.deregisterConductor(request, options)).toMatchObject({ state: State.DEREGISTERED });
  const settled = await world.settled(name);
  expect(settled).toMatchObject({
    abortCause: AbortCause.FAILED,
    voters: [
      { conductor: "conductors/gone", excused: true, settled: false },
      { conductor: "conductors/owner", excused: false, settled: true },
    ],
  });
  expect(settled.message).toContain("gone, which votes on it, was deregistered");
  expect(await errorOf(conductors.deregisterConductor(request, options))).toMatchObject({
    reason: "ALREADY_DEREGISTERED",
  });
  const [review] = gone.told("review");
  expect(await errorOf(gone.answer(review as never, acceptReady()))).toMatchObject({
    reason: "NOT_REGISTERED",
  });
  expect((await commit(model, "y")).voters.map((voter) => voter.conductor)).toEqual(["conductors/owner"]);
  const { auditRecords } = await world
    .as("vera")
    .registry.listAuditRecords({ parent: `models/${model}` }, options);
  expect(auditRecords).toContainEqual(
    expect.objectContaining({ outcome: "deregistered", actor: "ada", reason: request.reason }),
  );
  gone.script = bystander;
  await gone.register();
  await eventually(
    () => get(model, "gone"),
    (each) => each.state === State.ACTIVE,
  );
  expect(owner.refusals).toEqual([]);
});

it("I11: deregistered, it comes back to what it owes of proposals that settled without it, until it has confirmed", async () => {
  const model = await newModel();
  const owner = await world.conductor("owner", claimsAll, model);
  await world.conductor("slow", { review: () => undefined }, model);
  const { name } = await world.makeItSo("x", { model });
  await world.until(name, (proposal) => proposal.voters.some((voter) => voter.ready));
  const request = { model: `models/${model}`, name: "conductors/owner", reason: "cut off" };
  await world.as("ada").conductors.deregisterConductor(request, options);
  expect(await world.settled(name)).toMatchObject({
    committed: false,
    voters: [{ excused: true }, { settled: true }],
  });
  const owes = () => world.store.range({ prefix: `owed/${model}/` }, {}, new AbortController().signal);
  expect((await owes()).entries).toHaveLength(1);
  expect(owner.told("settle").filter(isFor("owner"))).toEqual([]);
  owner.script = { ...claimsAll, settle: () => false, incarnation: 2 };
  await owner.register();
  const told = await eventually(
    () => owner.told("settle").filter(isFor("owner")),
    (all) => all.length >= 2,
  );
  expect(told[0]).toMatchObject({
    addressees: ["conductors/owner"],
    command: { value: { committed: false } },
  });
  owner.script = { ...claimsAll, incarnation: 2 };
  await eventually(owes, ({ entries }) => entries.length === 0);
  expect(owner.refusals).toEqual([]);
});

it("a join whose conductor is deregistered in the queue ends there, and keeps nobody waiting", async () => {
  const model = await newModel();
  await world.conductor("owner", claimsAll, model);
  await commit(model, "x");
  const within = { confirmWithin: { seconds: 600n }, model };
  const armed = await world.until(
    (await world.makeItSo("y", within)).name,
    ({ phase }) => phase === Phase.MARKED,
  );
  await world.conductor("late", { review: () => undefined }, model);
  const { commit: commits } = world.as("rhea");
  const join = await eventually(
    async () =>
      (await commits.listProposals({ parent: `models/${model}` }, options)).proposals.find(
        ({ reason }) => reason === "late joins",
      ),
    (found) => found !== undefined,
  );
  const request = { model: `models/${model}`, name: "conductors/late", reason: "a typing error" };
  await world.as("ada").conductors.deregisterConductor(request, options);
  expect(await world.settled(join?.name ?? "")).toMatchObject({
    abortCause: AbortCause.FAILED,
    message: expect.stringContaining("late, which was to join, was deregistered") as string,
    voters: [],
  });
  await commits.confirmProposal({ name: armed.name }, options);
  expect(await commit(model, "z")).toMatchObject({ committed: true, version: 3n });
});

it("deregistered behind the decision: it is not waited for", async () => {
  const model = await newModel();
  await world.conductor("owner", claimsAll, model);
  await world.conductor("gone", { ...bystander, settle: () => false }, model);
  const { name } = await world.makeItSo("x", { model });
  await world.until(name, (proposal) => proposal.phase === Phase.MARKED);
  const request = { model: `models/${model}`, name: "conductors/gone", reason: "lost" };
  await world.as("ada").conductors.deregisterConductor(request, options);
  expect(await world.settled(name)).toMatchObject({
    committed: true,
    voters: [{ excused: true }, { settled: true }],
  });
});

it("lists them in pages, of one model or of all", async () => {
  const model = await newModel();
  for (const name of ["a", "b", "c"]) await world.conductor(name, {}, model);
  const { conductors } = world.as("ada");
  const request = { model: `models/${model}`, pageSize: 2 };
  const first = await conductors.listConductors(request, options);
  expect(first.conductors.map((each) => each.name)).toEqual(["conductors/a", "conductors/b"]);
  const rest = await conductors.listConductors({ ...request, pageToken: first.nextPageToken }, options);
  expect([rest.conductors.map((each) => each.name), rest.nextPageToken]).toEqual([["conductors/c"], ""]);
  const all = await conductors.listConductors({}, options);
  expect(all.conductors.length).toBeGreaterThan(3);
  const foreign = conductors.listConductors({ pageToken: first.nextPageToken }, options);
  expect(await errorOf(foreign)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "PAGE_TOKEN_INVALID" });
  expect(await errorOf(conductors.listConductors({ model: "models/.." }, options))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

it("I14: lists conductors of models in which the caller has a role, and of no other", async () => {
  const [seen, hidden] = [await newModel(), await newModel()];
  for (const model of [hidden, seen])
    for (const name of ["a", "b", "c"]) await world.conductor(name, {}, model);
  const roleBinding = { subject: "vic", role: PersonRole.VIEWER };
  await world.as("ada").registry.setRoleBinding({ parent: `models/${seen}`, roleBinding }, options);
  const { conductors } = world.as("vic");
  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await conductors.listConductors({ pageSize: 2, pageToken }, options);
    names.push(...page.conductors.map((each) => `${each.model}/${each.name}`));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(names).toEqual(["a", "b", "c"].map((name) => `models/${seen}/conductors/${name}`));
  const one = await conductors.listConductors({ model: `models/${seen}` }, options);
  expect(one.conductors).toHaveLength(3);
  expect(await errorOf(conductors.listConductors({ model: `models/${hidden}` }, options))).toMatchObject({
    code: "PERMISSION_DENIED",
    reason: "MISSING_ROLE",
  });
  expect(await errorOf(conductors.listConductors({ model: "models/none" }, options))).toMatchObject({
    code: "NOT_FOUND",
    reason: "MODEL_NOT_FOUND",
  });
  const all = await world.as("conductor:a").conductors.listConductors({}, options);
  expect(new Set(all.conductors.map((each) => each.model)).size).toBeGreaterThan(1);
});

it("I15: an unknown conductor or model is not found, and nothing is made", async () => {
  const model = await newModel();
  expect(await errorOf(get(model, "nobody"))).toMatchObject({
    code: "NOT_FOUND",
    reason: "CONDUCTOR_NOT_FOUND",
  });
  const { conductors } = world.as("conductor:x");
  const request = { name: "conductors/x", model: "models/none", incarnation: 1n };
  expect(await errorOf(conductors.registerConductor(request, options))).toMatchObject({
    reason: "MODEL_NOT_FOUND",
  });
  const gone = { model: `models/${model}`, name: "conductors/nobody", reason: "x" };
  expect(await errorOf(world.as("ada").conductors.deregisterConductor(gone, options))).toMatchObject({
    reason: "CONDUCTOR_NOT_FOUND",
  });
});

it("models are announced to conductors: those that are there, and new ones at once", async () => {
  const model = await newModel();
  const heard = new Set<string>();
  const ending = new AbortController();
  const listening = (async () => {
    for await (const { payload } of world.controlLog.subscribe("_models", 0, ending.signal))
      heard.add((JSON.parse(Buffer.from(payload).toString()) as { model: string }).model);
  })().catch(() => undefined);
  await eventually(
    () => heard.has(model),
    (has) => has,
  );
  ending.abort(new Error("heard enough"));
  await listening;
});
