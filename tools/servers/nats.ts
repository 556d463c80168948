// NATS with JetStream on files, built by `go install` from the Go module proxy.
import { mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../lib/run.ts";
import { exists, locked, needProgram } from "./cache.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster, Engine, InstallOptions, ServerNode, StartOptions } from "./engine.ts";
import { serverNode } from "./node.ts";
import { keptPorts } from "./ports.ts";
import type { Reaper } from "./reaper.ts";
import { until } from "./until.ts";

/** At least 2.12 is needed; this one is tested. */
const VERSION = "2.15.2";
const HOST = "127.0.0.1";
/** A fraction of a second on an idle machine. */
const START_WITHIN_MS = 30_000;
/** A cluster's first election. */
const LEADER_WITHIN_MS = 60_000;
const ASK_WITHIN_MS = 2_000;

export type NatsOptions = StartOptions & {
  /** A configuration file. Addresses are set beside it, and $GRECO_NATS_STORE names the store's folder. */
  readonly config?: string;
  /** What the file takes from the environment. */
  readonly env?: Readonly<Record<string, string>>;
};

const folderOf = (cache: string): string => join(cache, `nats-${VERSION}`);
const programOf = (cache: string): string => join(folderOf(cache), "nats-server");

async function build({ cache, say, signal }: InstallOptions): Promise<void> {
  await needProgram("nats", ["go", "version"], "install Go 1.24 or newer (https://go.dev/dl)");
  say(`building nats-server ${VERSION} from its Go modules (half a minute, once)`);
  const work = await mkdtemp(join(cache, "nats-build-"));
  try {
    const module = `github.com/nats-io/nats-server/v2@v${VERSION}`;
    // Checksums are compared by Go itself, as the machine's GOSUMDB says.
    const ran = await run("go", ["install", "-trimpath", "-ldflags", "-s -w", module], {
      env: { GOBIN: join(work, "bin") },
      signal,
    });
    if (ran.code !== 0) throw new Error(`nats-server ${VERSION} could not be built:\n${ran.output.trim()}`);
    await rename(join(work, "bin"), folderOf(cache));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

type Member = { readonly name: string; readonly port: number; readonly route: string; readonly http: number };

async function asked(http: number, path: string, signal: AbortSignal): Promise<Response> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(ASK_WITHIN_MS)]);
  return fetch(`http://${HOST}:${http}/${path}`, { signal: either });
}

function nodeOf(member: Member, members: readonly Member[], options: NatsOptions, reaper: Reaper) {
  const { name, port, route, http } = member;
  const folder = join(options.folder, name);
  const store = join(folder, "data");
  return serverNode({
    name: `nats node ${name}`,
    address: `${HOST}:${port}`,
    folder,
    program: programOf(options.cache),
    args: [
      ...["--name", name, "--addr", HOST, "--port", String(port), "--http_port", String(http)],
      ...(options.config === undefined
        ? ["--jetstream", "--store_dir", store]
        : ["--config", options.config]),
      ...(members.length === 1
        ? []
        : [
            ...["--cluster_name", "greco", "--cluster", route],
            ...["--routes", members.map((each) => each.route).join(",")],
          ]),
    ],
    env: { GRECO_NATS_STORE: store, ...options.env },
    reaper,
    // Of itself: whether the cluster has a quorum is another question.
    serves: async (signal) => (await asked(http, "healthz?js-server-only=true", signal)).ok,
    startWithinMs: START_WITHIN_MS,
  });
}

/** The meta group has a leader, and all nodes are in it: streams can be made. */
async function hasLeader(members: readonly Member[], signal: AbortSignal): Promise<boolean> {
  const [first] = members;
  if (first === undefined || members.length === 1) return true;
  const response = await asked(first.http, "jsz", signal);
  const { meta_cluster: meta } = (await response.json()) as {
    meta_cluster?: { leader?: string; cluster_size?: number };
  };
  return (meta?.leader ?? "") !== "" && meta?.cluster_size === members.length;
}

/** A cluster of what is installed, with a configuration of one's own. */
export async function startNats(options: NatsOptions): Promise<Cluster> {
  const ports = await keptPorts(options.folder, options.nodes, options.nodes * 3);
  const members = Array.from({ length: options.nodes }, (_, index): Member => ({
    name: `n${index + 1}`,
    port: ports[index] ?? 0,
    route: `nats://${HOST}:${ports[options.nodes + index]}`,
    http: ports[2 * options.nodes + index] ?? 0,
  }));
  return startCluster({
    name: "nats",
    nodes: async (reaper) => members.map((member) => nodeOf(member, members, options, reaper)),
    whole: (_nodes: readonly ServerNode[], signal) =>
      until(() => hasLeader(members, signal).catch(() => false), {
        what: "the NATS cluster to have a leader",
        withinMs: LEADER_WITHIN_MS,
        signal,
      }),
    signal: options.signal,
  });
}

export const nats: Engine = {
  name: "nats",
  version: VERSION,
  install: (options) =>
    locked("nats", options, async () => {
      if (!(await exists(programOf(options.cache)))) await build(options);
    }),
  start: startNats,
};
