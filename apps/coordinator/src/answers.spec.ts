import { afterAll, beforeAll, expect, it } from "vitest";
import { Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import type { Command } from "@greco/contracts/greco/conductor/v1/conductor";
import {
  accept,
  acceptReady,
  claimsOf,
  failed,
  HASH,
  veto,
  type ScriptedConductor,
  type Subject,
} from "./testing/conductor.ts";
import { errorOf, eventually, options, World } from "./testing/world.ts";

/** A proposal that waits for the vote of `owner`, and who was asked. */
type Asked = { readonly proposal: Proposal; readonly owner: ScriptedConductor; readonly command: Command };

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

let models = 0;
async function asked(): Promise<Asked> {
  const model = `m${(models += 1)}`;
  await world.model(model);
  const owner = await world.conductor("owner", { review: () => undefined, incarnation: 3 }, model);
  const { name } = await world.makeItSo("x", { model });
  const proposal = await world.until(name, (each) => each.phase === Phase.PROPOSED);
  const [command] = await eventually(
    () => owner.told("review"),
    (all) => all.length > 0,
  );
  return { proposal, owner, command: command as Command };
}

async function refusal({ owner, command }: Asked, more: Subject = {}) {
  const error = await errorOf(owner.answer(command, accept([]), more));
  expect(error.code).toBe("FAILED_PRECONDITION");
  expect(error.preconditions).toHaveLength(1);
  expect(error.message.length).toBeGreaterThan(20);
  return error.reason;
}

it("I1: an answer that is not a voter's for exactly this candidate is refused, and has no effect", async () => {
  const at = await asked();
  const { proposal, owner } = at;
  expect(await refusal(at, { candidate: "other" })).toBe("OTHER_CANDIDATE");
  expect(await refusal(at, { digest: "0".repeat(64) })).toBe("OTHER_DIGEST");
  expect(await refusal(at, { incarnation: 2n })).toBe("OLD_INCARNATION");
  expect(await refusal(at, { incarnation: 4n })).toBe("UNKNOWN_INCARNATION");
  expect(await refusal(at, { commandId: "no-such.review" })).toBe("UNKNOWN_COMMAND");
  expect(await refusal(at, { commandId: "anything" })).toBe("UNKNOWN_COMMAND");
  expect(await refusal(at, { commandId: `${proposal.candidate}.prepare` })).toBe("WRONG_ANSWER");
  expect(await refusal(at, { conductor: "conductors/stranger" })).toBe("NOT_REGISTERED");
  const late = await world.conductor("late", {}, owner.model);
  expect(await refusal({ ...at, owner: late })).toBe("NOT_A_VOTER");
  const now = await world.as("vera").commit.getProposal({ name: proposal.name }, options);
  expect(now).toMatchObject({ phase: Phase.PROPOSED, voters: [{ conductor: "conductors/owner", vote: 0 }] });
});

it("a repeat of what was taken is no error; another answer than the first is refused", async () => {
  const { proposal, owner, command } = await asked();
  const claims = [`models/${owner.model}/entities/stream/x`];
  owner.script = { ...owner.script, prepare: () => undefined };
  for (let repeat = 0; repeat < 3; repeat += 1) await owner.answer(command, accept(claims));
  expect((await errorOf(owner.answer(command, veto))).reason).toBe("ANSWER_CONFLICTS");
  const [prepare] = await eventually(
    () => owner.told("prepare"),
    (all) => all.length > 0,
  );
  const bindings = [{ kind: "stream", entity: "x", createdVersion: 1n, hash: HASH }];
  await owner.answer(prepare as Command, { case: "ready", value: { bindings } });
  await world.settled(proposal.name);
  await owner.answer(prepare as Command, { case: "ready", value: { bindings } });
  expect((await errorOf(owner.answer(prepare as Command, failed))).reason).toBe("ANSWER_CONFLICTS");
  const [settle] = owner.told("settle");
  await owner.answer(settle as Command, { case: "settled", value: { committed: true } });
  const opposite = owner.answer(settle as Command, { case: "settled", value: { committed: false } });
  expect((await errorOf(opposite)).reason).toBe("ANSWER_CONFLICTS");
});

it("I15: an answer without an answer, or with a hash that is none, is invalid", async () => {
  const { owner, command, proposal } = await asked();
  expect(await errorOf(owner.answer(command, { case: undefined }))).toMatchObject({
    code: "INVALID_ARGUMENT",
    violations: [{ field: "answer" }],
  });
  const bindings = [{ kind: "stream", entity: "x", createdVersion: 1n, hash: "A".repeat(64) }];
  const wrong = { case: "accept", value: { plan: {}, ready: { bindings } } } as const;
  expect(await errorOf(owner.answer(command, wrong))).toMatchObject({
    code: "INVALID_ARGUMENT",
    reason: "INVALID_HASH",
  });
  const named = [{ kind: "Stream", entity: "../x", createdVersion: 1n, hash: HASH }];
  const misnamed = { case: "accept", value: { plan: {}, ready: { bindings: named } } } as const;
  expect((await errorOf(owner.answer(command, misnamed))).code).toBe("INVALID_ARGUMENT");
  expect((await world.as("vera").commit.getProposal({ name: proposal.name }, options)).phase).toBe(
    Phase.PROPOSED,
  );
});

it("what is lost is announced again, under the same command, until it is answered", async () => {
  const { proposal, owner, command } = await asked();
  const again = await eventually(
    () => owner.told("review"),
    (all) => all.length >= 3,
  );
  expect(new Set(again.map((each) => each.commandId))).toEqual(new Set([command.commandId]));
  owner.script = { ...owner.script, review: (review) => acceptReady(claimsOf(review)), settle: () => false };
  await world.until(proposal.name, (each) => each.phase === Phase.MARKED);
  await eventually(
    () => owner.told("settle").length,
    (count) => count >= 3,
  );
  owner.script = { ...owner.script, settle: () => true };
  expect(await world.settled(proposal.name)).toMatchObject({ committed: true });
});

it("I15: an answer may be as large as the contract lets it be: 100 000 bindings in one message", async () => {
  const { owner, command } = await asked();
  const bindings = Array.from({ length: 100_000 }, (_, index) => {
    const entity = `late-flights-of-the-day-${index}`;
    return { kind: "query", entity, createdVersion: 3n, hash: HASH };
  });
  // It got through: what is wrong is that nobody asked for it, not its size.
  const commandId = `${command.commandId.split(".")[0] ?? ""}x.prepare`;
  const tooEarly = owner.answer(command, { case: "ready", value: { bindings } }, { commandId });
  expect(await errorOf(tooEarly)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "UNKNOWN_COMMAND" });
});
