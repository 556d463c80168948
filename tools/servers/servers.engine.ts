// The frame of the servers, shown on etcd: they serve, come back with their data, and never outlive who started them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import type { ServerNode } from "./engine.ts";
import { etcdLeader } from "./etcd.ts";
import { servers } from "./for-tests.ts";
import { until } from "./until.ts";

const { signal } = new AbortController();

const call = async (address: string, method: string, body: object): Promise<{ kvs?: unknown[] }> => {
  const response = await fetch(`http://${address}/v3/kv/${method}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { kvs?: unknown[] };
};
const key = Buffer.from("k").toString("base64");
const gone = (pid: number): Promise<void> =>
  until(() => !existsSync(`/proc/${pid}`), { what: `process ${pid} to end`, withinMs: 20_000, signal });

it("kills a node, starts it again with its data, and without them once they are wiped", async () => {
  await using cluster = await servers.etcd({ own: true }, signal);
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error("there is one node");
  await call(node.address, "put", { key, value: key });
  await expect(node.start(signal)).rejects.toThrow(/runs already/);
  await node.kill("SIGKILL");
  expect(node.pid).toBeUndefined();
  await node.start(signal);
  expect((await call(node.address, "range", { key })).kvs).toHaveLength(1);
  await expect(node.wipe()).rejects.toThrow(/kill it before/);
  await node.kill("SIGTERM");
  await node.wipe();
  await node.start(signal);
  expect((await call(node.address, "range", { key })).kvs).toBeUndefined();
});

it("stops a node and lets it go on", async () => {
  await using cluster = await servers.etcd({ nodes: 3, own: true }, signal);
  const leader = await etcdLeader(cluster, signal);
  await leader?.kill("SIGSTOP");
  const others = cluster.nodes.filter((node) => node !== leader);
  const answers = (node: ServerNode | undefined): Promise<void> =>
    until(async () => (await fetch(`http://${node?.address}/health`)).status === 200, {
      what: `${node?.address} to answer`,
      withinMs: 60_000,
      signal,
    });
  await answers(others[0]);
  await leader?.kill("SIGCONT");
  await answers(leader);
});

it("shares one cluster, whose nodes are nobody's to kill", async () => {
  await using one = await servers.etcd({}, signal);
  await using other = await servers.etcd({}, signal);
  expect(other.addresses).toEqual(one.addresses);
  await expect(one.nodes[0]?.kill("SIGKILL")).rejects.toThrow(/own cluster/);
  await call(one.addresses[0] ?? "", "range", { key });
});

it("ends what it started when it is killed itself", async () => {
  const main = join(import.meta.dirname, "main.ts");
  const starter = spawn(process.execPath, [main, "start", "--etcd", "1"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const lines = createInterface({ input: starter.stdout });
  const [line] = (await once(lines, "line")) as [string];
  const address = line.replace("export GRECO_ETCD=", "");
  const response = await fetch(`http://${address}/metrics`);
  // etcd tells by its metrics which process it is not; the system does by its port.
  expect(response.status).toBe(200);
  starter.kill("SIGKILL");
  await until(
    () =>
      fetch(`http://${address}/health`).then(
        () => false,
        () => true,
      ),
    { what: "the server to end with its starter", withinMs: 20_000, signal },
  );
  if (starter.pid !== undefined) await gone(starter.pid);
});
