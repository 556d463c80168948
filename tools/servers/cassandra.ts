// Cassandra 5.0 from the jars on Maven Central: 1 or more nodes on 127.0.0.1, 127.0.0.2 …, at free ports, so that several
// clusters may stand beside each other; in one data centre or several.
import { once } from "node:events";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, policies, types } from "cassandra-driver";
import { run } from "../lib/run.ts";
import { exists, locked, needProgram } from "./cache.ts";
import {
  javaArguments,
  logbackOf,
  type Member,
  type Ports,
  rackdcOf,
  tokenOf,
  yamlOf,
} from "./cassandra-config.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster, DataCenter, Engine, InstallOptions, ServerNode, StartOptions } from "./engine.ts";
import { serverNode } from "./node.ts";
import { keptPorts } from "./ports.ts";
import type { Reaper } from "./reaper.ts";
import { until } from "./until.ts";

const VERSION = "5.0.9";
/** Maven's own default of this plugin is from 2013. */
const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/** Six seconds on an idle machine; three nodes on a busy one take minutes. */
const START_WITHIN_MS = 300_000;
const ASK_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 150;

const jarsOf = (cache: string): string => join(cache, `cassandra-${VERSION}`);

async function fetchJars({ cache, say, signal }: InstallOptions): Promise<void> {
  await needProgram("cassandra", ["mvn", "--version"], "install Maven (apt-get install maven)");
  say(`fetching Cassandra ${VERSION} by Maven (62 MB, once)`);
  const pom = fileURLToPath(new URL("./cassandra/pom.xml", import.meta.url));
  const work = `${jarsOf(cache)}.new`;
  await rm(work, { recursive: true, force: true });
  // Checksums are compared by Maven.
  const args = ["-B", "-ntp", "-q", "-C", "-f", pom, `-Dcassandra.version=${VERSION}`, COPY];
  const ran = await run("mvn", [...args, "-DincludeScope=runtime", `-DoutputDirectory=${work}`], { signal });
  if (ran.code !== 0) throw new Error(`Cassandra ${VERSION} could not be fetched:\n${ran.output.trim()}`);
  await rename(work, jarsOf(cache));
}

/** Asks one node, and no other. */
async function asking<T>(address: string, ask: (client: Client) => Promise<T>): Promise<T> {
  const [host = "", port] = address.split(":");
  const { RoundRobinPolicy, AllowListPolicy } = policies.loadBalancing;
  const client = new Client({
    contactPoints: [host],
    protocolOptions: { port: Number(port) },
    policies: { loadBalancing: new AllowListPolicy(new RoundRobinPolicy(), [address]) },
    socketOptions: { connectTimeout: ASK_WITHIN_MS, readTimeout: ASK_WITHIN_MS },
    pooling: { warmup: false },
  });
  try {
    return await ask(client);
  } finally {
    await client.shutdown();
  }
}

/** Whether anybody listens: a driver for each look would cost more than the node's start. */
async function listens(address: string, signal: AbortSignal): Promise<boolean> {
  const [host = "", port] = address.split(":");
  await sleep(LOOK_EVERY_MS, undefined, { signal });
  const socket = connect(Number(port), host);
  try {
    await once(socket, "connect", { signal });
    return true;
  } finally {
    socket.destroy();
  }
}

const READY = "greco_ready";

/** A write through this node that `count` replicas must take: it sees them, and they take it for one of theirs. */
async function writes(address: string, count: number, nodes: number): Promise<boolean> {
  const { all, one, two, three, quorum } = types.consistencies;
  const consistency = count === nodes ? all : ([one, one, two, three][count] ?? quorum);
  await asking(address, (client) =>
    client.execute(`INSERT INTO ${READY}.t (k) VALUES (1)`, [], { consistency }),
  );
  return true;
}

/** CQL answering is not a ring: each node must know the others, and a write at ALL must work through each. */
async function ringStands(
  nodes: readonly ServerNode[],
  centers: readonly DataCenter[],
  signal: AbortSignal,
): Promise<void> {
  const wait = (what: string) => ({ what, withinMs: START_WITHIN_MS, everyMs: LOOK_EVERY_MS, signal });
  const no = (): boolean => false;
  for (const { address } of nodes)
    await until(
      () =>
        asking(address, async (client) => {
          const { rows } = await client.execute("SELECT peer FROM system.peers_v2");
          return rows.length === nodes.length - 1;
        }).catch(no),
      wait(`${address} to know its ${nodes.length - 1} peers`),
    );
  const replication = centers.map(({ name, nodes: count }) => `'${name}': ${count}`).join(", ");
  const first = nodes[0]?.address ?? "";
  await asking(first, async (client) => {
    const options = `{'class': 'NetworkTopologyStrategy', ${replication}}`;
    await client.execute(`CREATE KEYSPACE IF NOT EXISTS ${READY} WITH replication = ${options}`);
    await client.execute(`CREATE TABLE IF NOT EXISTS ${READY}.t (k int PRIMARY KEY)`);
  });
  for (const { address } of nodes)
    await until(
      () => writes(address, nodes.length, nodes.length).catch(no),
      wait(`a write at ALL through ${address}`),
    );
}

async function configure(member: Member, seeds: readonly string[], ports: Ports): Promise<void> {
  const conf = join(member.folder, "conf");
  for (const folder of [conf, join(member.folder, "tmp"), join(member.folder, "triggers")])
    await mkdir(folder, { recursive: true });
  await writeFile(join(conf, "cassandra.yaml"), yamlOf(member, seeds, ports));
  await writeFile(join(conf, "logback.xml"), logbackOf(member));
  await writeFile(join(conf, "cassandra-rackdc.properties"), rackdcOf(member));
}

function membersOf(centers: readonly DataCenter[], folder: string): Member[] {
  const all = centers.flatMap(({ name, nodes }, center) =>
    Array.from({ length: nodes }, (_, index) => ({ name, token: tokenOf(index, nodes, center) })),
  );
  return all.map(({ name, token }, index) => ({
    host: `127.0.0.${index + 1}`,
    dataCenter: name,
    token,
    folder: join(folder, `n${index + 1}`),
  }));
}

/** Without `dataCenters`: one, `dc1`. */
async function startCassandra(options: StartOptions): Promise<Cluster> {
  const { cache, folder, signal, forMeasuring = false } = options;
  const centers = options.dataCenters ?? [{ name: "dc1", nodes: options.nodes }];
  const members = membersOf(centers, folder);
  const hosts = members.map(({ host }) => host);
  const [native = 0, storage = 0] = await keptPorts(folder, hosts.length, 2, hosts);
  const jars = (await readdir(jarsOf(cache))).map((jar) => join(jarsOf(cache), jar));
  let formed = false;
  let all: readonly (ServerNode & AsyncDisposable)[] = [];

  const nodeOf = (member: Member, reaper: Reaper) => {
    const address = `${member.host}:${native}`;
    return serverNode({
      name: `cassandra node ${address}`,
      address,
      folder: member.folder,
      program: "java",
      args: javaArguments(member, jars, forMeasuring),
      reaper,
      startWithinMs: START_WITHIN_MS,
      async serves(servesSignal) {
        if (!(await listens(address, servesSignal))) return false;
        await asking(address, (client) => client.execute("SELECT host_id FROM system.local"));
        // One that comes back serves when those that run take it for one of theirs.
        const running = all.filter(({ pid }) => pid !== undefined);
        if (formed) for (const each of running) await writes(each.address, running.length, all.length);
        return true;
      },
    });
  };
  const cluster = await startCluster({
    name: "cassandra",
    signal,
    async nodes(reaper) {
      for (const member of members) await configure(member, hosts, { native, storage });
      all = members.map((member) => nodeOf(member, reaper));
      return all;
    },
    async whole(nodes, wholeSignal) {
      await ringStands(nodes, centers, wholeSignal);
      formed = true;
    },
  });
  return { ...cluster, peerPort: storage };
}

export const cassandra: Engine = {
  name: "cassandra",
  version: VERSION,
  install: (options) =>
    locked("cassandra", options, async () => {
      // To run it, too, however it came here.
      const java = "install Java 17 (apt-get install openjdk-17-jre-headless)";
      await needProgram("cassandra", ["java", "-version"], java);
      if (!(await exists(jarsOf(options.cache)))) await fetchJars(options);
    }),
  start: startCassandra,
};
