// Real servers for tests (`*.engine.ts`), benchmarks and acceptance checks:
//
//   await using cluster = await servers.etcd({}, signal);                        // shared, or GRECO_ETCD's
//   await using cluster = await servers.etcd({ nodes: 3, own: true }, signal);   // to kill nodes of
//
// Who shares one keeps to a prefix of his own in it, and may not kill its nodes. In a vitest run the shared ones are
// started by the main process when the first test asks (global-setup.ts), and end with the run.
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { cacheFolder } from "./cache.ts";
import type { Cluster, DataCenter, Engine, EngineName, Say, ServerNode } from "./engine.ts";
import { engines, variableOf } from "./engines.ts";

export type ServersOptions = {
  /** Of an own cluster; a shared one has one. */
  readonly nodes?: number;
  /** Started for the caller alone, who may kill its nodes and wipe them. */
  readonly own?: boolean;
  /** Cassandra, own clusters: instead of `nodes`. */
  readonly dataCenters?: readonly DataCenter[];
  /** Cassandra, when it is started for the caller: compiled for throughput, not for a quick start. */
  readonly forMeasuring?: boolean;
};

/** Set by global-setup.ts for the processes that run tests: a socket that answers with addresses. */
export const SHARED_SOCKET = "GRECO_TEST_SERVERS";

export type SharedAnswer = { readonly addresses: readonly string[] } | { readonly error: string };

const say: Say = (line) => void process.stderr.write(`${line}\n`);

function engineNamed(name: EngineName): Engine {
  const found = engines.find((engine) => engine.name === name);
  if (found === undefined) throw new Error(`tools/servers/engines.ts has no engine named ${name}`);
  return found;
}

/** Nodes that somebody else started. */
function sharedCluster(engine: Engine, addresses: readonly string[]): Cluster {
  const refuse = (): Promise<never> =>
    Promise.reject(new Error(`${engine.name} is shared: ask for an own cluster to kill or wipe its nodes`));
  const node = (address: string): ServerNode => ({
    address,
    pid: undefined,
    kill: refuse,
    start: refuse,
    wipe: refuse,
  });
  return {
    name: engine.name,
    addresses,
    nodes: addresses.map(node),
    // It is not the caller's to end.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Installs what is missing and starts a cluster in a folder that goes with it. */
export async function ownCluster(
  name: EngineName,
  { nodes = 1, dataCenters, forMeasuring }: ServersOptions,
  signal: AbortSignal,
): Promise<Cluster> {
  const engine = engineNamed(name);
  const cache = cacheFolder();
  const more = {
    ...(dataCenters === undefined ? {} : { dataCenters }),
    ...(forMeasuring === undefined ? {} : { forMeasuring }),
  };
  await engine.install({ cache, say, signal });
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), `greco-${name}-`));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const cluster = stack.use(await engine.start({ cache, nodes, folder, say, signal, ...more }));
  const owned = stack.move();
  return { ...cluster, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function askShared(socketPath: string, engine: Engine): Promise<readonly string[]> {
  const socket = connect(socketPath);
  socket.end(engine.name);
  const answer = JSON.parse(await text(socket)) as SharedAnswer;
  if ("error" in answer) throw new Error(answer.error);
  return answer.addresses;
}

async function clusterOf(name: EngineName, options: ServersOptions, signal: AbortSignal): Promise<Cluster> {
  const engine = engineNamed(name);
  if (options.own === true) return ownCluster(name, options, signal);
  if (options.nodes !== undefined && options.nodes !== 1)
    throw new Error(`a cluster of ${options.nodes} nodes is not shared: ask for an own one`);
  const named = process.env[variableOf(engine)];
  if (named !== undefined && named !== "") return sharedCluster(engine, named.split(","));
  const socket = process.env[SHARED_SOCKET];
  if (socket !== undefined) return sharedCluster(engine, await askShared(socket, engine));
  return ownCluster(name, options, signal);
}

type Ask = (options: ServersOptions, signal: AbortSignal) => Promise<Cluster>;

export const servers = {
  etcd: (options, signal) => clusterOf("etcd", options, signal),
  nats: (options, signal) => clusterOf("nats", options, signal),
  cassandra: (options, signal) => clusterOf("cassandra", options, signal),
  ministack: (options, signal) => clusterOf("ministack", options, signal),
  moto: (options, signal) => clusterOf("moto", options, signal),
} satisfies Record<EngineName, Ask>;
