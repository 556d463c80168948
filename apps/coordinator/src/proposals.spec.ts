import { afterAll, beforeAll, expect, it } from "vitest";
import { Phase, VoterStatus_Vote } from "@greco/contracts/greco/commit/v1/commit";
import { acceptReady, claimsOf, type Script } from "./testing/conductor.ts";
import { errorOf, options, World } from "./testing/world.ts";

let world: World;
const claimsAll: Script = { review: (review) => acceptReady(claimsOf(review)) };
beforeAll(async () => {
  world = await World.open({ limits: { intervalMs: 20_000 } });
  await world.model();
});
afterAll(() => world[Symbol.asyncDispose]());

it("lists them newest first, in pages", async () => {
  await world.model("list");
  await world.conductor("owner", claimsAll, "list");
  const names: string[] = [];
  for (const id of ["a", "b", "c"])
    names.unshift((await world.settled((await world.makeItSo(id, { model: "list" })).name)).name);
  const { commit } = world.as("vera");
  const request = { parent: "models/list", pageSize: 2 };
  const first = await commit.listProposals(request, options);
  const rest = await commit.listProposals({ ...request, pageToken: first.nextPageToken }, options);
  expect([...first.proposals, ...rest.proposals].map((each) => each.name)).toEqual(names);
  expect([first.proposals.length, rest.nextPageToken]).toEqual([2, ""]);
  const foreign = commit.listProposals({ parent: "models/m", pageToken: first.nextPageToken }, options);
  expect(await errorOf(foreign)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "PAGE_TOKEN_INVALID" });
});

it("is watched from any revision on, until it is settled, with marks while nothing happens", async () => {
  const owner = await world.conductor("owner", { review: () => undefined });
  const slow = await world.conductor("slow", { review: () => acceptReady() });
  const { name } = await world.makeItSo("x");
  const seen: { phase: Phase; revision: bigint; votes: number }[] = [];
  let marks = 0;
  for await (const { proposal, revision } of world.as("vera").commit.watchProposal({ name }, options)) {
    if (proposal === undefined) {
      marks += 1;
      owner.script = claimsAll;
      continue;
    }
    const votes = proposal.voters.filter((voter) => voter.vote === VoterStatus_Vote.ACCEPT).length;
    seen.push({ phase: proposal.phase, revision, votes });
  }
  expect(marks).toBeGreaterThan(0);
  // The vote of one shows while the other is still waited for.
  expect(seen).toContainEqual(expect.objectContaining({ phase: Phase.PROPOSED, votes: 1 }));
  const phases = seen.map((each) => each.phase);
  expect(phases).toEqual(phases.toSorted((a, b) => a - b));
  expect(phases.at(-1)).toBe(Phase.SETTLED);
  const middle = seen.find((each) => each.phase === Phase.COMMITTED);
  const again: Phase[] = [];
  const request = { name, fromRevision: middle?.revision ?? 0n };
  for await (const { proposal } of world.as("vera").commit.watchProposal(request, options))
    if (proposal !== undefined) again.push(proposal.phase);
  expect(again).toEqual(phases.slice(phases.lastIndexOf(Phase.COMMITTED) + 1));
  const last = { name, fromRevision: seen.at(-1)?.revision ?? 0n };
  const end: Phase[] = [];
  for await (const { proposal } of world.as("vera").commit.watchProposal(last, options))
    if (proposal !== undefined) end.push(proposal.phase);
  expect(end).toEqual([Phase.SETTLED]);
  expect(slow.refusals).toEqual([]);
});

it("shows what of its time is left", async () => {
  await world.model("time");
  await world.conductor("owner", { review: () => undefined }, "time");
  const { name } = await world.makeItSo("x", { model: "time" });
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  const { remaining } = await world.as("vera").commit.getProposal({ name }, options);
  expect(Number(remaining?.seconds)).toBeGreaterThan(50);
  expect(Number(remaining?.seconds)).toBeLessThanOrEqual(60);
});

it("I15: one that is not there is not found, to look at and to watch", async () => {
  const name = "models/m/proposals/none";
  const { commit } = world.as("vera");
  expect(await errorOf(commit.getProposal({ name }, options))).toMatchObject({
    code: "NOT_FOUND",
    reason: "PROPOSAL_NOT_FOUND",
  });
  const watching = (async () => {
    for await (const _ of commit.watchProposal({ name }, options));
  })();
  expect(await errorOf(watching)).toMatchObject({ code: "NOT_FOUND" });
});
