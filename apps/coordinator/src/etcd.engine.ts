// Registry and coordinators on etcd of three nodes: what they promise on the embedded store, while nodes die.
import { openEtcdCpStore } from "@greco/adapter-etcd";
import { AbortCause, Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { epoch, modelId } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Cluster, ServerNode } from "../../../tools/servers/engine.ts";
import { etcdLeader } from "../../../tools/servers/etcd.ts";
import { servers } from "../../../tools/servers/for-tests.ts";
import { acceptReady, claimsOf, veto, type Script } from "./testing/conductor.ts";
import { eventually, options, signal, testLog, World } from "./testing/world.ts";

/** A busy machine with elections in between; far below the deadline of any phase. */
const COMMIT_MS = 60_000;
const claimsAll: Script = { review: (review) => acceptReady(claimsOf(review)) };

let cluster: Cluster;
beforeAll(async () => {
  cluster = await servers.etcd({ nodes: 3, own: true }, signal);
});
afterAll(() => cluster[Symbol.asyncDispose]());

const settled = (proposal: Proposal): boolean => proposal.phase === Phase.SETTLED;

let worlds = 0;

function openWorld(): Promise<World> {
  const prefix = `world-${(worlds += 1)}/`;
  const where = { hosts: cluster.addresses, prefix, clock: systemClock, log: testLog };
  return World.open({ openStore: () => openEtcdCpStore(where, signal), limits: { driverLeaseMs: 2_000 } });
}

async function leaderOf(): Promise<ServerNode> {
  const leader = await eventually(
    () => etcdLeader(cluster, signal).catch(() => undefined),
    (found) => found !== undefined,
    COMMIT_MS,
  );
  if (leader === undefined) throw new Error("there is no leader");
  return leader;
}

it("I3, I5: commits, vetoes and commits again, and every version reads as it was", async () => {
  await using world = await openWorld();
  await world.model();
  const owner = await world.conductor("owner");
  const first = await world.until((await world.makeItSo("x")).name, settled, COMMIT_MS);
  expect(first).toMatchObject({ committed: true, version: 1n, baseVersion: 0n });
  owner.script = { review: () => veto };
  const vetoed = await world.until((await world.makeItSo("y")).name, settled, COMMIT_MS);
  expect(vetoed).toMatchObject({ committed: false, abortCause: AbortCause.VETOED });
  owner.script = claimsAll;
  const second = await world.until((await world.makeItSo("z")).name, settled, COMMIT_MS);
  expect(second).toMatchObject({ committed: true, version: 2n, baseVersion: 1n });
  const ledger = await world.laneStore.readLedger(modelId("m"), epoch(0), 10, signal);
  expect(ledger.map((entry) => entry.epoch)).toEqual([1, 2]);
});

it("I3: commits a change set of several transactions as one version", async () => {
  await using world = await openWorld();
  await world.model();
  await world.conductor("owner", claimsAll);
  const { registry, commit } = world.as("rhea");
  const draft = await registry.createDraft({ parent: "models/m", draftId: "large", draft: {} }, options);
  // Above what two chunks hold, and what etcd takes in one transaction.
  const spec = JSON.stringify({ schema: { type: "object", description: "x".repeat(5_000) } });
  let { etag } = draft;
  for (let from = 0; from < 600; from += 200) {
    const changes = Array.from({ length: 200 }, (_, index) => ({
      entity: `models/m/entities/stream/s${from + index}`,
      action: { case: "putSpecJson", value: spec } as const,
    }));
    etag = (await registry.editDraft({ name: draft.name, etag, changes }, options)).draft?.etag ?? "";
  }
  const { name } = await commit.makeItSo({ draft: draft.name, etag, reason: "large" }, options);
  expect(await world.until(name, settled, COMMIT_MS)).toMatchObject({ committed: true, version: 1n });
  const found = await registry.listEntities({ parent: "models/m", pageSize: 1_000 }, options);
  expect(found.entities.filter((entity) => entity.name.includes("/stream/s"))).toHaveLength(600);
});

it.each([
  ["reviewed", Phase.PROPOSED, { review: () => undefined }, claimsAll],
  ["prepared", Phase.ACCEPTED, { prepare: () => undefined }, {}],
] as const)(
  "I2, I11: decides once, and commits, though etcd's leader is killed while it is %s",
  async (_, phase, hesitant: Script, willing: Script) => {
    await using world = await openWorld();
    await world.model();
    const owner = await world.conductor("owner", hesitant);
    const { name } = await world.makeItSo("x");
    await world.until(name, (proposal) => proposal.phase === phase, COMMIT_MS);
    const leader = await leaderOf();
    await leader.kill("SIGKILL");
    owner.script = willing;
    expect(await world.until(name, settled, COMMIT_MS)).toMatchObject({ committed: true, version: 1n });
    await leader.start(signal);
    expect(await world.head()).toBe(1);
    const ledger = await world.laneStore.readLedger(modelId("m"), epoch(0), 10, signal);
    expect(ledger.map((entry) => entry.epoch)).toEqual([1]);
  },
);

it("I11: another replica drives on when the one that drives stops, while a node of etcd is down", async () => {
  await using world = await openWorld();
  const first = world.coordinator;
  await eventually(
    () => first.driving,
    (driving) => driving,
    COMMIT_MS,
  );
  await world.model();
  const owner = await world.conductor("owner", { review: () => undefined });
  const { name } = await world.makeItSo("x");
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED, COMMIT_MS);
  const second = await world.startCoordinator();
  const leader = await leaderOf();
  const follower = cluster.nodes.find((node) => node !== leader);
  await follower?.kill("SIGKILL");
  await first[Symbol.asyncDispose]();
  owner.client = world.client(ConductorService, second.address, "conductor:owner");
  owner.script = claimsAll;
  expect(await world.until(name, settled, COMMIT_MS)).toMatchObject({ committed: true, version: 1n });
  expect(second.driving).toBe(true);
  await follower?.start(signal);
});
