/** B-apart, short: the soak test does it for a minute each, on three nodes (apart.soak.ts). */
import { afterAll, beforeAll, it } from "vitest";
import { controlPlaneApart, isRight } from "./apart.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { startAllBut } from "./starting.ts";

const OPEN_MS = 400_000;
const TEST_MS = 300_000;
/** The shorter, the sooner are the lanes of the killed taken over; long enough for two busy cores. */
const LEASE_MS = 3_000;
const LEASES = 4;
const RATE = 100;

let cluster: Cluster;

beforeAll(async () => {
  const signal = AbortSignal.timeout(OPEN_MS);
  const nodes = { etcd: 1, nats: 1, cassandra: 1 };
  const quick = { leaseMs: LEASE_MS, rate: RATE };
  cluster = await openCluster({ apps: { runtime: 2 }, nodes, ...quick, startsNothing: true }, signal);
  await startAllBut(cluster, ["runtime-2"], signal);
}, OPEN_MS);
afterAll(() => cluster[Symbol.asyncDispose]());

it(
  "I9, I12: with the control plane and etcd down, flights are taken and paid, and a new runtime starts and takes over",
  async () => {
    const signal = AbortSignal.timeout(TEST_MS);
    await cluster.job.begin(signal);
    await controlPlaneApart(cluster, LEASES * cluster.leaseMs, signal);
    await isRight(cluster, signal);
  },
  TEST_MS,
);
