// etcd, built from the Go module proxy: its releases are not on any package registry, and distributions ship versions
// whose watches lose events (docs/decisions/0080-etcd.md).
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../lib/run.ts";
import { exists, locked, needProgram } from "./cache.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster, Engine, InstallOptions, ServerNode, StartOptions } from "./engine.ts";
import { serverNode } from "./node.ts";
import { keptPorts } from "./ports.ts";
import type { Reaper } from "./reaper.ts";

const VERSION = "3.6.16";
/** Elections on loopback need no second: a test waits for each. */
const HEARTBEAT_MS = 50;
const ELECTION_MS = 300;
/** Seconds on an idle machine; builds beside it make it longer. */
const START_WITHIN_MS = 60_000;
const ASK_WITHIN_MS = 2_000;

const folderOf = (cache: string): string => join(cache, `etcd-${VERSION}`);
const programOf = (cache: string): string => join(folderOf(cache), "etcd");

/** `go install` refuses a module with replace directives; a module that requires it does not see them. */
const GO_MOD = `module greco.dev/etcd\n\ngo 1.24\n\nrequire go.etcd.io/etcd/server/v3 v${VERSION}\n`;
const GO_FILE = `//go:build tools\n\npackage tools\n\nimport _ "go.etcd.io/etcd/server/v3"\n`;

async function build({ cache, say, signal }: InstallOptions): Promise<void> {
  await needProgram("etcd", ["go", "version"], "install Go 1.24 or newer (https://go.dev/dl)");
  say(`building etcd ${VERSION} from its Go modules (a minute or two, once)`);
  const work = await mkdtemp(join(cache, "etcd-build-"));
  try {
    await writeFile(join(work, "go.mod"), GO_MOD);
    await writeFile(join(work, "tools.go"), GO_FILE);
    const args = ["build", "-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", "bin/etcd"];
    // Checksums are compared by Go itself, as the machine's GOSUMDB says.
    const ran = await run("go", [...args, "go.etcd.io/etcd/server/v3"], { cwd: work, signal });
    if (ran.code !== 0) throw new Error(`etcd ${VERSION} could not be built:\n${ran.output.trim()}`);
    await rename(join(work, "bin"), folderOf(cache));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function serves(address: string, signal: AbortSignal): Promise<boolean> {
  const response = await fetch(`http://${address}/health`, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_WITHIN_MS)]),
  });
  return ((await response.json()) as { health?: unknown }).health === "true";
}

async function nodesOf(options: StartOptions, reaper: Reaper): Promise<(ServerNode & AsyncDisposable)[]> {
  const { cache, nodes, folder } = options;
  const ports = await keptPorts(folder, nodes, nodes * 2);
  const members = Array.from({ length: nodes }, (_, index) => ({
    name: `n${index + 1}`,
    address: `127.0.0.1:${ports[index]}`,
    peer: `http://127.0.0.1:${ports[nodes + index]}`,
  }));
  const initial = members.map(({ name, peer }) => `${name}=${peer}`).join(",");
  return members.map(({ name, address, peer }) =>
    serverNode({
      name: `etcd node ${name}`,
      address,
      folder: join(folder, name),
      program: programOf(cache),
      args: [
        ...["--name", name, "--data-dir", join(folder, name, "data"), "--log-level", "warn"],
        ...["--listen-client-urls", `http://${address}`, "--advertise-client-urls", `http://${address}`],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ...["--initial-cluster", initial, "--initial-cluster-state", "new"],
        ...["--heartbeat-interval", String(HEARTBEAT_MS), "--election-timeout", String(ELECTION_MS)],
      ],
      reaper,
      serves: (signal) => serves(address, signal),
      startWithinMs: START_WITHIN_MS,
    }),
  );
}

export const etcd: Engine = {
  name: "etcd",
  version: VERSION,
  install: (options) =>
    locked("etcd", options, async () => {
      if (!(await exists(programOf(options.cache)))) await build(options);
    }),
  async start(options) {
    return startCluster({
      name: "etcd",
      nodes: (reaper) => nodesOf(options, reaper),
      signal: options.signal,
    });
  },
};

type Status = { readonly header: { readonly member_id: string }; readonly leader?: string };

/** The node that leads, of those that run; undefined while there is none. */
export async function etcdLeader(cluster: Cluster, signal: AbortSignal): Promise<ServerNode | undefined> {
  for (const node of cluster.nodes) {
    if (node.pid === undefined) continue;
    const asked = AbortSignal.any([signal, AbortSignal.timeout(ASK_WITHIN_MS)]);
    const url = `http://${node.address}/v3/maintenance/status`;
    const response = await fetch(url, { method: "POST", body: "{}", signal: asked });
    const { header, leader } = (await response.json()) as Status;
    if (leader === header.member_id) return node;
  }
  return undefined;
}
