/**
 * B-two: two of each service on three nodes of etcd, one of NATS, three of Cassandra. One of each pair is killed, the
 * one at work, and stays dead; the other goes on. How soon is told, in leases, and decides nothing.
 */
import { modelId } from "@greco/domain/model";
import { GrecoError } from "@greco/sdk";
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";
import { until } from "../story.ts";
import type { AppProcess } from "./app-process.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { checked } from "./figures.ts";
import { lastWords } from "./outages.ts";

const OPEN_MS = 600_000;
const OUTAGE_MS = 600_000;
/** More than the limits above, so that what is waited for is told before vitest gives up. */
const MARGIN_MS = 10_000;
const FLIGHTS = 500;
const CONDUCTORS = ["conductor-streams", "conductor-tables", "conductor-worker"] as const;
const TWO = { registry: 2, coordinator: 2, ingress: 2, runtime: 2 } as const;

let cluster: Cluster;
const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

beforeAll(async () => {
  const conductors = Object.fromEntries(CONDUCTORS.map((app) => [app, 2]));
  cluster = await openCluster({ apps: { ...TWO, ...conductors } }, within(OPEN_MS));
  await cluster.job.begin(within(OPEN_MS));
  await cluster.job.flow.more(FLIGHTS, within(OPEN_MS));
}, OPEN_MS + MARGIN_MS);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

type Pair = {
  readonly what: string;
  /** The one at work. */
  readonly victim: (signal: AbortSignal) => Promise<AppProcess> | AppProcess;
  /** Resolves when the other one does what the dead one did. */
  readonly goesOn: (dead: AppProcess, signal: AbortSignal) => Promise<unknown>;
};

const pairs: readonly Pair[] = [
  {
    what: "ingress, where the flow is (I8, R5)",
    victim: () => cluster.app(`ingress-${cluster.job.flow.at + 1}`),
    goesOn: (_dead, signal) => cluster.job.flow.more(1, signal),
  },
  {
    what: "runtime (I6, I8)",
    victim: () => cluster.app("runtime-1"),
    // Each lane that it worked on is the other's.
    goesOn: ({ name }, signal) =>
      until(async () => {
        const claims = await cluster.lanes.listClaims(modelId("airline"), signal);
        return claims.some((claim) => claim.runtime === name && !claim.done) ? undefined : true;
      }, signal),
  },
  {
    what: "registry",
    victim: () => cluster.app("registry-1"),
    goesOn: (_dead, signal) =>
      until(async () => {
        try {
          return await cluster.clients.registry.getModel({ name: cluster.job.parent }, { signal });
        } catch (error) {
          if (signal.aborted || !(error instanceof GrecoError)) throw error;
          return undefined;
        }
      }, signal),
  },
  {
    what: "coordinator that drives (I11)",
    victim: (signal) => cluster.driving(signal),
    goesOn: (_dead, signal) => cluster.driving(signal),
  },
  ...CONDUCTORS.map((app) => ({
    what: `${app} at work (I1, I11)`,
    victim: (signal: AbortSignal) => cluster.atWork(app, signal),
    goesOn: (_dead: AppProcess, signal: AbortSignal) => cluster.atWork(app, signal),
  })),
];

describe("B-two: two of each at once, and one of each pair is killed", () => {
  const tells = (what: string): void =>
    onTestFailed(() => void process.stderr.write(`${what}\n  ${lastWords(cluster)}\n`));

  for (const { what, victim, goesOn } of pairs)
    it(`goes on without the ${what}`, { timeout: OUTAGE_MS + MARGIN_MS }, async ({ task }) => {
      tells(what);
      const signal = within(OUTAGE_MS);
      const dying = await victim(signal);
      await dying.kill("SIGKILL");
      const sinceMs = performance.now();
      await goesOn(dying, signal);
      const leases = (performance.now() - sinceMs) / cluster.leaseMs;
      task.meta.figure = `${dying.name}: ${leases.toFixed(1)} leases`;
      // And the whole of it: a change in mid-stream, settled.
      const { version } = await cluster.job.change(signal);
      expect(version).toBeGreaterThan(1);
    });

  it(
    "I6, I8: nothing is lost, duplicated or misapplied",
    { timeout: OUTAGE_MS + MARGIN_MS },
    async ({ task }) => {
      tells("the check");
      expect(cluster.apps.filter(({ pid }) => pid !== undefined)).toHaveLength(pairs.length);
      const { found, right, figure } = checked(await cluster.job.check(within(OUTAGE_MS)), cluster.job.flow);
      task.meta.figure = figure;
      expect(found).toEqual(right);
    },
  );
});
