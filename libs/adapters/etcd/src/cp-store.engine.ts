import { cpStoreContract } from "@greco/ports/testing";
import { afterAll, beforeAll } from "vitest";
import { type Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { etcdSetup } from "./testing/setup.ts";

let cluster: Cluster;
beforeAll(async () => {
  // Its own: the suite counts revisions, of which a cluster has one series.
  cluster = await servers.etcd({ own: true }, new AbortController().signal);
});
afterAll(() => cluster[Symbol.asyncDispose]());

cpStoreContract(
  "etcd",
  etcdSetup(() => cluster.addresses),
);
