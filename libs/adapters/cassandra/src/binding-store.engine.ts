import { bindingStoreContract } from "@greco/ports/testing";
import { afterAll, beforeAll } from "vitest";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { openCassandraBindingStore } from "./binding-store.ts";
import { cassandraSetup, type Keyspace, testKeyspace } from "./testing/setup.ts";

const stack = new AsyncDisposableStack();
let keyspace: Keyspace;

beforeAll(async () => {
  const cluster = stack.use(await servers.cassandra({}, new AbortController().signal));
  keyspace = stack.use(await testKeyspace(cluster.addresses, 1));
  await using _migrated = await openCassandraBindingStore(keyspace, new AbortController().signal);
});
afterAll(() => stack.disposeAsync());

bindingStoreContract(
  "cassandra",
  cassandraSetup(() => keyspace, openCassandraBindingStore),
);
