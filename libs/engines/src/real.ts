/**
 * The ports on etcd, NATS and Cassandra. Drivers are loaded only where an app has a part in their engine.
 *
 * E1. Nobody waits for NATS: its hints and announcements are made good by polls of the truth (I9).
 */
import { ConfigError, watchDependency } from "@greco/service-kit";
import type { EngineParts } from "./open-engines.ts";
import type { PortName, Ports } from "./ports.ts";
import { readSecret } from "./secret.ts";

type Opened = { -readonly [P in PortName]?: Ports[P] };

export async function openReal(
  ports: readonly PortName[],
  parts: EngineParts,
  signal: AbortSignal,
): Promise<Opened> {
  const wanted = new Set(ports);
  return {
    ...(wanted.has("cpStore") ? { cpStore: await openEtcd(parts) } : {}),
    ...(await openNats(wanted, parts, signal)),
    ...(await openCassandra(wanted, parts)),
  };
}

async function openEtcd(parts: EngineParts): Promise<Ports["cpStore"]> {
  const { given, clock, log, stack } = parts;
  const { openEtcdCpStore } = await import("@greco/adapter-etcd");
  const secret = given.etcdCredentialsFile && (await readSecret(given.etcdCredentialsFile));
  const options = {
    ...{ hosts: given.etcd ?? [], prefix: given.etcdPrefix, clock, log },
    ...(secret ? { authority: { auth: { username: secret.user, password: secret.password } } } : {}),
  };
  const store = stack.use(await parts.waitFor("etcd", (each) => openEtcdCpStore(options, each)));
  const probe = (each: AbortSignal) => store.range({ key: "probe" }, { keysOnly: true }, each);
  stack.use(watchDependency("etcd", probe, { needed: true }, parts));
  return store;
}

/** E1: both open at once, reachable or not, and say themselves what they miss. */
async function openNats(
  wanted: ReadonlySet<PortName>,
  { given, clock, log, stack }: EngineParts,
  signal: AbortSignal,
): Promise<Opened> {
  if (!wanted.has("controlLog") && !wanted.has("wake")) return {};
  const { openJetStreamControlLog, openNatsWake } = await import("@greco/adapter-nats");
  const file = given.natsCredentialsFile;
  const options = {
    ...{ servers: given.nats ?? [], clock, log, streamPrefix: given.natsPrefix },
    ...(file === undefined ? {} : { credentials: await readSecret(file) }),
  };
  const opened: Opened = {};
  if (wanted.has("controlLog")) {
    // Only the coordinator, which has a part in the CP store, writes the log and may make it.
    const more = { replicas: given.natsReplicas, makesStream: wanted.has("cpStore") };
    opened.controlLog = stack.use(await openJetStreamControlLog({ ...options, ...more }, signal));
  }
  if (wanted.has("wake")) opened.wake = stack.use(await openNatsWake(options, signal));
  return opened;
}

async function openCassandra(wanted: ReadonlySet<PortName>, parts: EngineParts): Promise<Opened> {
  if (!wanted.has("laneStore") && !wanted.has("bindingStore")) return {};
  const { given, clock, log, stack } = parts;
  const { openCassandraBindingStore, openCassandraLaneStore } = await import("@greco/adapter-cassandra");
  const secret = given.cassandraCredentialsFile && (await readSecret(given.cassandraCredentialsFile));
  const contactPoints = given.cassandra ?? [];
  const localDataCenter = given.cassandraDataCenter;
  const options = {
    ...{ contactPoints, localDataCenter, keyspace: given.keyspace, clock, log },
    ...(given.replication.length === 0 ? {} : { replication: replicationOf(given.replication) }),
    ...(secret ? { credentials: { username: secret.user, password: secret.password } } : {}),
  };
  const opened: Opened = {};
  const open = async <T extends AsyncDisposable>(opening: (each: AbortSignal) => Promise<T>): Promise<T> =>
    stack.use(await parts.waitFor("cassandra", opening));
  if (wanted.has("laneStore")) {
    const store = await open((each) => openCassandraLaneStore(options, each));
    stack.use(watchDependency("cassandra", (each) => store.listModels(each), { needed: true }, parts));
    opened.laneStore = store;
  }
  if (wanted.has("bindingStore"))
    opened.bindingStore = await open((each) => openCassandraBindingStore(options, each));
  return opened;
}

/** `dc1:3,dc2:3` */
function replicationOf(given: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    given.map((each) => {
      const [name = "", count = ""] = each.split(":");
      if (name === "" || !/^[1-9]$/.test(count))
        throw new ConfigError([`--replication: ${each} must be a data centre and its replicas, as dc1:3`]);
      return [name, Number(count)];
    }),
  );
}
