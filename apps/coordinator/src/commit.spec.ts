import { expect, it } from "vitest";
import { AbortCause, Phase } from "@greco/contracts/greco/commit/v1/commit";
import { epoch, modelId } from "@greco/domain/model";
import { bystander, claimsOf, acceptReady, HASH, veto } from "./testing/conductor.ts";
import { eventually, signal, World } from "./testing/world.ts";

it("commits: review, prepare, promote, ledger, settle", async () => {
  await using world = await World.open();
  await world.model();
  const owner = await world.conductor("owner");
  const other = await world.conductor("other", bystander);
  const { name, phase } = await world.makeItSo("x");
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
  expect(await world.head()).toBe(1);
  const [entry] = await world.laneStore.readLedger(modelId("m"), epoch(0), 10, signal);
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

it("a veto aborts, tells every voter, and frees the slot for the next", async () => {
  await using world = await World.open();
  await world.model();
  const critic = await world.conductor("critic", { review: () => veto });
  const owner = await world.conductor("owner", { review: (review) => acceptReady(claimsOf(review)) });
  const settled = await world.settled((await world.makeItSo("x")).name);
  expect(settled).toMatchObject({
    committed: false,
    abortCause: AbortCause.VETOED,
    message: "critic vetoed it: it is too wide (make it narrow)",
  });
  expect(settled.voters.map((voter) => voter.settled)).toEqual([true, true]);
  expect([critic, owner].map((each) => each.told("settle").length > 0)).toEqual([true, true]);
  critic.script = bystander;
  expect(await world.settled((await world.makeItSo("y")).name)).toMatchObject({
    committed: true,
    version: 1n,
  });
});
