/**
 * Greco as it is deployed, for tests that break it: each app its own process, any number of each, at ports that stay,
 * on etcd, NATS and Cassandra of several nodes; and the compensation job on it, with the checker at the end.
 *
 *   await using cluster = await openCluster({ apps: { ingress: 2, runtime: 2 } }, signal);
 *   await cluster.job.begin(signal);                         // model, conductors, version 1; the flights flow
 *   await cluster.app("ingress-1").kill("SIGKILL");          // the flow moves to ingress-2 (R5)
 *   await cluster.engines.cassandra.nodes[1]?.kill("SIGKILL");
 *   await cluster.job.change(signal);                        // the other rules, made so in mid-stream, settled
 *   await cluster.app("ingress-1").start(signal);
 *   const report = await cluster.job.check(signal);          // lost, duplicated, misapplied
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCassandraLaneStore } from "@greco/adapter-cassandra";
import { type GrecoClients, connectGreco } from "@greco/sdk";
import { createDevKeys, createLog, type DevKeys, systemClock } from "@greco/service-kit";
import type { LaneStore } from "@greco/ports";
import type { Cluster as EngineCluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { freePorts } from "../../../../tools/servers/ports.ts";
import { createReaper, type Reaper } from "../../../../tools/servers/reaper.ts";
import { type App, type AppProcess, appProcess, APPS } from "./app-process.ts";
import { CompensationJob } from "./compensation-job.ts";

/** A flag's name without its dashes, and its value: `{ "lease-ms": "5000" }`. */
export type Flags = Readonly<Record<string, string>>;

export type Seat = {
  /** `runtime-2` */
  readonly name: string;
  readonly app: App;
  /** Of gRPC, or of health alone. */
  readonly address: string;
};

export type ClusterOptions = {
  /** How many processes of each app; one where nothing is said. 0: none, to be started by the test in its own way. */
  readonly apps?: Readonly<Partial<Record<App, number>>>;
  /** Nodes of each engine; 3 of etcd, 1 of NATS, 3 of Cassandra where nothing is said. */
  readonly nodes?: Readonly<Partial<Record<EngineName, number>>>;
  /** Engines that the caller has opened and will close, instead of own ones. */
  readonly engines?: Readonly<Partial<Engines>>;
  /** Every lease: of the driver, the conductors and the data plane's writers. */
  readonly leaseMs?: number;
  /** Flights a second. */
  readonly rate?: number;
  /** The flags of one process, from those it would have; for a door between two of them, or another lease. */
  readonly flags?: (seat: Seat, standard: Flags) => Flags;
  /** Beside the test's own, for every process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ports and flags are settled, and no app is started: the caller does that. */
  readonly startsNothing?: boolean;
};

export type EngineName = "etcd" | "nats" | "cassandra";
/** Their nodes may be killed, stopped, continued, started again and wiped (tools/servers/engine.ts). */
export type Engines = Readonly<Record<EngineName, EngineCluster>>;

export interface Cluster extends AsyncDisposable {
  readonly leaseMs: number;
  readonly engines: Engines;
  readonly apps: readonly AppProcess[];
  /** By its name: `ingress-1`, `conductor-worker-2`. */
  app(name: string): AppProcess;
  /** All of one app, `-1` first. */
  of(app: App): readonly AppProcess[];
  /** The coordinator that drives, as its metrics say, once there is one. */
  driving(signal: AbortSignal): Promise<AppProcess>;
  /** The conductor's process that is at work, not standing by, as its metrics say, once there is one. */
  atWork(app: App, signal: AbortSignal): Promise<AppProcess>;
  /** One number from what a process shows to Prometheus; undefined where it shows none of that name. */
  metric(process: AppProcess, series: string): Promise<number | undefined>;
  /** As an admin of the job's model, at any of each kind. */
  readonly clients: GrecoClients;
  /** Rows as the checker reads them: through the Cassandra port. */
  readonly lanes: LaneStore;
  readonly job: CompensationJob;
  /** A token of this person, or of what the runtime is. */
  token(subject: string): Promise<string>;
}

/** Two of them must outlast a killed Cassandra node on a busy machine. */
const LEASE_MS = 5_000;
const RATE = 300;
const NODES: Readonly<Record<EngineName, number>> = { etcd: 3, nats: 1, cassandra: 3 };
/** A call that hangs at somebody who was stopped. */
const CALL_MS = 10_000;
const MODEL = "airline";
const KEYSPACE = "greco";
const DATA_CENTRE = "dc1";
const HOST = "127.0.0.1";
const LOOK_MS = 200;

/**
 * Resolves when every app serves. The signal bounds the opening; what is opened lives until it is disposed, or this
 * process ends, however it ends. Rejects with MissingToolchainError where an engine cannot be installed.
 */
export async function openCluster(options: ClusterOptions, signal: AbortSignal): Promise<Cluster> {
  await using opening = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "greco-cluster-"));
  opening.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const reaper = opening.use(createReaper());
  const leaseMs = options.leaseMs ?? LEASE_MS;
  const keys = await createDevKeys(join(folder, "keys"), systemClock);
  const engines = await openOwnEngines(options, opening, signal);
  // Before the apps: one makes the tables, and the others find them.
  const lanes = opening.use(
    await openCassandraLaneStore(
      {
        contactPoints: engines.cassandra.addresses,
        localDataCenter: DATA_CENTRE,
        keyspace: KEYSPACE,
        replication: { [DATA_CENTRE]: Math.min(3, engines.cassandra.addresses.length) },
        clock: systemClock,
        log: createLog({ service: "checker", level: "error" }),
      },
      signal,
    ),
  );
  const seats = await takeSeats(options.apps ?? {});
  const apps: AppProcess[] = [];
  const tokens = await writeTokens(join(folder, "tokens"), keys);
  for (const seat of seats) {
    const standard = flagsOf(seat, { seats, engines, leaseMs, keysFile: keys.keysFile, tokens });
    apps.push(opening.use(launcher(seat, standard, options, reaper)));
  }
  if (options.startsNothing !== true) await Promise.all(apps.map((app) => app.start(signal)));

  const admin = await keys.issue({ subject: "ada" });
  const clients = (addresses: Addresses): GrecoClients =>
    opening.use(connectGreco(addresses, { token: admin, deadlineMs: CALL_MS }));
  const all = addressesOf(seats);
  const whole = clients(all);
  // Of each ingress a connection of its own, so that the flow knows at which one it is.
  const ingresses = seats
    .filter(({ app }) => app === "ingress")
    .map(({ address }) => clients({ ...all, ingress: address }).ingress);
  const job = await CompensationJob.prepare({
    ...{ model: MODEL, rate: options.rate ?? RATE, clients: whole, ingresses, lanes, leaseMs },
    clock: systemClock,
  });
  opening.defer(() => job.end());
  const of = (app: App): readonly AppProcess[] => apps.filter((each) => each.app === app);
  const running = opening.move();
  return {
    leaseMs,
    engines,
    apps,
    app(name) {
      const found = apps.find((each) => each.name === name);
      if (found === undefined)
        throw new Error(`no ${name}; there are ${apps.map((each) => each.name).join(", ")}`);
      return found;
    },
    of,
    driving: (each) => whoShows(of("coordinator"), "greco_coordinator_driving", each),
    atWork: (app, each) => whoShows(of(app), `greco_conductor_sessions{model="${MODEL}"}`, each),
    metric,
    clients: whole,
    lanes,
    job,
    token: (subject) => keys.issue({ subject }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function openOwnEngines(
  { nodes, engines = {} }: ClusterOptions,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Engines> {
  const open = async (name: EngineName): Promise<EngineCluster> =>
    engines[name] ??
    stack.use(await servers[name]({ nodes: nodes?.[name] ?? NODES[name], own: true }, signal));
  // One after another: three Cassandra nodes are all that two cores can start at once.
  return { etcd: await open("etcd"), nats: await open("nats"), cassandra: await open("cassandra") };
}

type Placed = Seat & { readonly connect: string; readonly metrics: string };

async function takeSeats(counts: Readonly<Partial<Record<App, number>>>): Promise<readonly Placed[]> {
  const names = APPS.flatMap((app) =>
    Array.from({ length: counts[app] ?? 1 }, (_, index) => ({ app, name: `${app}-${index + 1}` })),
  );
  const ports = await freePorts(3 * names.length);
  const at = (index: number): string => `${HOST}:${ports[index]}`;
  return names.map((each, index) => ({
    ...each,
    ...{ address: at(3 * index), connect: at(3 * index + 1), metrics: at(3 * index + 2) },
  }));
}

type Addresses = { readonly registry: string; readonly coordinator: string; readonly ingress: string };

/** Whoever calls several of a kind is told of all of them. */
function addressesOf(seats: readonly Seat[]): Addresses {
  const all = (app: App): string => {
    const addresses = seats.filter((seat) => seat.app === app).map(({ address }) => address);
    return `ipv4:${addresses.join(",")}`;
  };
  return { registry: all("registry"), coordinator: all("coordinator"), ingress: all("ingress") };
}

type Tokens = (name: string) => string;

async function writeTokens(folder: string, keys: DevKeys): Promise<Tokens> {
  await mkdir(folder);
  const fileOf = (name: string): string => join(folder, name);
  for (const app of APPS) {
    const kind = kindOf(app);
    if (kind === undefined) continue;
    const token = await keys.issue({ subject: app, service: { kind, name: app } });
    await writeFile(fileOf(app), token, { mode: 0o600 });
  }
  return fileOf;
}

/** What the control plane knows it as; undefined: it calls nobody there. */
function kindOf(app: App): "conductor" | "control" | "runtime" | undefined {
  if (app.startsWith("conductor-")) return "conductor";
  if (app === "coordinator") return "control";
  return app === "runtime" ? "runtime" : undefined;
}

type Around = {
  readonly seats: readonly Placed[];
  readonly engines: Engines;
  readonly leaseMs: number;
  readonly keysFile: string;
  readonly tokens: Tokens;
};

function flagsOf(seat: Placed, { seats, engines, leaseMs, keysFile, tokens }: Around): Flags {
  const { registry, coordinator } = addressesOf(seats);
  const common = {
    engines: "real",
    etcd: engines.etcd.addresses.join(","),
    nats: engines.nats.addresses.join(","),
    cassandra: engines.cassandra.addresses.join(","),
    keyspace: KEYSPACE,
    listen: seat.address,
    metrics: seat.metrics,
  };
  const token = { "token-file": tokens(seat.app) };
  const lease = { "lease-ms": String(leaseMs) };
  switch (seat.app) {
    case "registry":
      return { ...common, keys: keysFile, connect: seat.connect };
    case "coordinator":
      return { ...common, ...token, ...lease, keys: keysFile, connect: seat.connect, registry };
    case "ingress":
      return { ...common, ...lease, keys: keysFile, connect: seat.connect, name: seat.name };
    case "runtime":
      return { ...common, ...token, ...lease, threads: "1", name: seat.name, coordinator };
    default:
      return { ...common, ...token, ...lease, registry, coordinator };
  }
}

function launcher(seat: Placed, standard: Flags, options: ClusterOptions, reaper: Reaper): AppProcess {
  const { name, app, address } = seat;
  const chosen = options.flags?.({ name, app, address }, standard) ?? standard;
  return appProcess({
    ...{ name, app, address, reaper },
    metrics: `http://${seat.metrics}/metrics`,
    flags: Object.entries(chosen).map(([flag, value]) => `--${flag}=${value}`),
    env: options.env ?? {},
  });
}

async function metric(process: AppProcess, series: string): Promise<number | undefined> {
  const text = await (await fetch(process.metrics, { signal: AbortSignal.timeout(CALL_MS) })).text();
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** The first that shows a 1. One that does not answer is none. */
async function whoShows(
  processes: readonly AppProcess[],
  series: string,
  signal: AbortSignal,
): Promise<AppProcess> {
  for (;;) {
    for (const each of processes) {
      if (each.pid === undefined) continue;
      if ((await metric(each, series).catch(() => undefined)) === 1) return each;
    }
    await systemClock.sleep(LOOK_MS, signal);
  }
}
