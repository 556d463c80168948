// A service whose engine is down, as a process: it waits, says so, and serves when the engine is there. No start order.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@greco/contracts/grpc/health/v1/health";
import { createDevKeys, systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, expect, it, onTestFailed, vi } from "vitest";
import { freePorts } from "../../../tools/servers/ports.ts";
import { servers } from "../../../tools/servers/for-tests.ts";

const INSTALL_MS = 600_000;
const TEST_MS = 180_000;
const within = { timeout: 30_000, interval: 100 };
const MAIN = join(import.meta.dirname, "../../../apps/registry/src/main.ts");

let stack: AsyncDisposableStack;
let etcd: Awaited<ReturnType<typeof servers.etcd>>;
// Apart from the test, because the first who asks for it may have to build it.
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  etcd = stack.use(await servers.etcd({ nodes: 1, own: true }, AbortSignal.timeout(INSTALL_MS)));
}, INSTALL_MS);
afterAll(() => stack.disposeAsync());

it(
  "the registry waits for etcd from before its start to after its loss, and says so by health",
  async () => {
    const signal = AbortSignal.timeout(TEST_MS - 10_000);
    await using own = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "greco-waiting-"));
    own.defer(() => rm(folder, { recursive: true, force: true }));
    const { keysFile } = await createDevKeys(join(folder, "keys"), systemClock);
    const [node] = etcd.nodes;
    if (node === undefined) throw new Error("a cluster of one has a node");
    await node.kill("SIGKILL");

    const [port = 0] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    const flags = ["--engines", "real", "--etcd", etcd.addresses.join(","), "--keys", keysFile];
    const child = spawn(process.execPath, [MAIN, ...flags, "--listen", address, "--connect", "127.0.0.1:0"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    own.defer(() => void child.kill("SIGKILL"));
    const events: string[] = [];
    const said: string[] = [];
    onTestFailed(() => console.error(`the registry said:\n${said.join("\n")}`));
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      // A process that crashes says so in its own words.
      if (!line.startsWith("{")) return;
      const { event, dependency } = JSON.parse(line) as { event: string; dependency?: string };
      if (dependency === "etcd" || event === "registry.started") events.push(event);
    });
    const health = createClient(Health, createGrpcTransport({ baseUrl: `http://${address}` }));
    const says = (status: Status) =>
      vi.waitFor(async () => {
        const answer = await health.check({ service: RegistryService.typeName }, { timeoutMs: 1_000 });
        expect(answer.status).toBe(status);
      }, within);

    await says(Status.NOT_SERVING);
    await node.start(signal);
    await says(Status.SERVING);
    await node.kill("SIGKILL");
    await says(Status.NOT_SERVING);
    await node.start(signal);
    await says(Status.SERVING);
    // A busy machine may take it for lost once more often; it says both each time, and starts once.
    // Health and log come by different ways.
    await vi.waitFor(
      () =>
        expect(events.filter((event) => event !== "dependency.still-down")).toEqual([
          ...["dependency.down", "dependency.up", "registry.started"],
          ...["dependency.down", "dependency.up"],
        ]),
      within,
    );
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  },
  TEST_MS,
);
