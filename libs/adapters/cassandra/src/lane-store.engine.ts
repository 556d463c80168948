import { laneStoreContract } from "@greco/ports/testing";
import { afterAll, beforeAll } from "vitest";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { openCassandraLaneStore } from "./lane-store.ts";
import { cassandraSetup, type Keyspace, testKeyspace } from "./testing/setup.ts";

const stack = new AsyncDisposableStack();
let keyspace: Keyspace;

beforeAll(async () => {
  const cluster = stack.use(await servers.cassandra({}, new AbortController().signal));
  keyspace = stack.use(await testKeyspace(cluster.addresses, 1));
  await using _migrated = await openCassandraLaneStore(keyspace, new AbortController().signal);
});
afterAll(() => stack.disposeAsync());

laneStoreContract(
  "cassandra",
  cassandraSetup(() => keyspace, openCassandraLaneStore),
);
laneStoreContract(
  "cassandra with small buckets",
  cassandraSetup(
    () => keyspace,
    (options, signal) =>
      openCassandraLaneStore({ ...options, limits: { bucketRows: 16, appendRows: 500 } }, signal),
  ),
);
