/** B-apart: a minute each, on three nodes of etcd and of Cassandra. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { cassandraNodeApart, controlPlaneApart, isRight } from "./apart.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { startAllBut } from "./starting.ts";

const OPEN_MS = 600_000;
const TEST_MS = 900_000;
const MINUTE_MS = 60_000;

let cluster: Cluster;

beforeAll(async () => {
  const signal = AbortSignal.timeout(OPEN_MS);
  cluster = await openCluster({ apps: { runtime: 2 }, startsNothing: true }, signal);
  await startAllBut(cluster, ["runtime-2"], signal);
  await cluster.job.begin(signal);
}, OPEN_MS);
afterAll(() => cluster[Symbol.asyncDispose]());

it(
  "I9, I12: with the control plane and etcd down for a minute, flights are taken and paid, and a new runtime starts",
  async () => {
    await controlPlaneApart(cluster, MINUTE_MS, AbortSignal.timeout(TEST_MS));
  },
  TEST_MS,
);

it(
  "I9: with a node of Cassandra down for a minute, the same, and commits go through",
  async () => {
    expect(cluster.engines.cassandra.nodes).toHaveLength(3);
    await cassandraNodeApart(cluster, 1, MINUTE_MS, AbortSignal.timeout(TEST_MS));
  },
  TEST_MS,
);

it(
  "I6, I8: nothing is lost, twice, or under the wrong rules",
  () => isRight(cluster, AbortSignal.timeout(TEST_MS)),
  TEST_MS,
);
