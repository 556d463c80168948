/**
 * B-zombie: who is stopped (SIGSTOP) for three leases in the middle of its work, while a commit runs, and goes on as
 * if nothing had been, does nothing that it may not do any more: nothing acknowledged is lost, nothing is there twice.
 */
import { Phase } from "@greco/contracts/greco/commit/v1/commit";
import { modelId } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../story.ts";
import { isRight } from "./apart.ts";
import type { AppProcess } from "./app-process.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { goesOn } from "./processing.ts";

const OPEN_MS = 400_000;
const TEST_MS = 180_000;
const LEASES = 3;
const FLIGHTS = 100;
/** The shorter, the sooner is it over; long enough for two busy cores. */
const LEASE_MS = 3_000;
const RATE = 100;

let cluster: Cluster;

beforeAll(async () => {
  const signal = AbortSignal.timeout(OPEN_MS);
  const apps = { ingress: 2, runtime: 2, coordinator: 2, "conductor-worker": 2 };
  const nodes = { etcd: 1, nats: 1, cassandra: 1 };
  cluster = await openCluster({ apps, nodes, leaseMs: LEASE_MS, rate: RATE }, signal);
  await cluster.job.begin(signal);
  await goesOn(cluster, FLIGHTS, signal);
}, OPEN_MS);
afterAll(() => cluster[Symbol.asyncDispose]());

async function claimsOf(runtime: string, signal: AbortSignal): Promise<number> {
  const model = modelId(cluster.job.parent.replace("models/", ""));
  const claims = await cluster.lanes.listClaims(model, signal);
  return claims.filter((claim) => !claim.done && claim.runtime === runtime).length;
}

/** Whoever has work now. */
const VICTIMS = {
  ingress: async (signal: AbortSignal): Promise<AppProcess> => {
    const moves = cluster.job.flow.moves;
    await goesOn(cluster, FLIGHTS, signal);
    expect(cluster.job.flow.moves).toBe(moves);
    const all = cluster.of("ingress");
    const at = all[moves % all.length];
    if (at === undefined) throw new Error("the flow is at no ingress");
    return at;
  },
  runtime: (signal: AbortSignal): Promise<AppProcess> =>
    until(async () => {
      for (const runtime of cluster.of("runtime"))
        if ((await claimsOf(runtime.name, signal)) > 0) return runtime;
      return undefined;
    }, signal),
  conductor: (signal: AbortSignal): Promise<AppProcess> => cluster.atWork("conductor-worker", signal),
  coordinator: (signal: AbortSignal): Promise<AppProcess> => cluster.driving(signal),
} as const;

/** A commit is under way when this resolves; what comes of it. */
async function commitBegins(signal: AbortSignal): Promise<{ readonly settled: Promise<unknown> }> {
  for (;;) {
    let over = false;
    const settled = cluster.job.change(signal).finally(() => (over = true));
    settled.catch(() => undefined);
    while (!over) {
      const request = { parent: cluster.job.parent, pageSize: 10 };
      const { proposals } = await cluster.clients.commit.listProposals(request, { signal });
      if (proposals.some(({ phase }) => phase !== Phase.SETTLED)) return { settled };
    }
    // It was too quick to be seen.
    await settled;
  }
}

it.each(Object.entries(VICTIMS))(
  "I2, I8, R2: %s is stopped for three leases while a commit runs, and goes on",
  async (_app, choose) => {
    const signal = AbortSignal.timeout(TEST_MS);
    const victim = await choose(signal);
    const { pid } = victim;
    const commit = await commitBegins(signal);
    await victim.kill("SIGSTOP");
    await systemClock.sleep(LEASES * cluster.leaseMs, signal);
    await victim.kill("SIGCONT");
    await commit.settled;
    // The others and the zombie together.
    await cluster.job.change(signal);
    await goesOn(cluster, FLIGHTS, signal);
    expect(victim.pid).toBe(pid);
  },
  TEST_MS,
);

it(
  "I6, I8: nothing is lost, twice, or under the wrong rules",
  () => isRight(cluster, AbortSignal.timeout(TEST_MS)),
  TEST_MS,
);
