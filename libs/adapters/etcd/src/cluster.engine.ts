// The whole suite on three nodes, of which the leader is killed in the middle of it and does not come back.
import { cpStoreContract } from "@greco/ports/testing";
import { afterAll, beforeAll } from "vitest";
import { type Cluster } from "../../../../tools/servers/engine.ts";
import { etcdLeader } from "../../../../tools/servers/etcd.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { etcdSetup } from "./testing/setup.ts";

const KILLED_BEFORE_TEST = 25;

const { signal } = new AbortController();

let cluster: Cluster;
beforeAll(async () => {
  cluster = await servers.etcd({ nodes: 3, own: true }, signal);
});
afterAll(() => cluster[Symbol.asyncDispose]());

let tests = 0;

async function killInTheMiddle(): Promise<void> {
  tests++;
  if (tests !== KILLED_BEFORE_TEST) return;
  const leader = await etcdLeader(cluster, signal);
  if (leader === undefined) throw new Error("nobody leads a cluster that nothing has befallen");
  await leader.kill("SIGKILL");
}

cpStoreContract(
  "etcd on three nodes, then two",
  etcdSetup(() => cluster.addresses, killInTheMiddle),
);
