/**
 * How each part of a cluster dies and comes back while the compensation job runs. Each of these makes one change of the
 * rules in mid-stream, through the death, and resolves when that is settled.
 */
import type { ServerNode } from "../../../../tools/servers/engine.ts";
import type { App, AppProcess } from "./app-process.ts";
import type { Cluster, EngineName } from "./cluster.ts";

/** So many flights are acknowledged while something is dead: it is dead for a while, and the flow does not stop. */
const MEANWHILE = 300;
/** Far beyond what a commit takes on a busy machine: a failpoint that is not reached by then never is. */
const REACHED_MS = 120_000;

/** Killed, and back only when the flow has gone on without it (I9). The change begins while it is dead. */
async function deadInMidStream(
  cluster: Cluster,
  dies: () => Promise<void>,
  comesBack: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await dies();
  await Promise.all([
    cluster.job.change(signal),
    cluster.job.flow.more(MEANWHILE, signal).then(() => comesBack()),
  ]);
}

function appDead(cluster: Cluster, app: AppProcess, signal: AbortSignal): Promise<void> {
  return deadInMidStream(
    cluster,
    () => app.kill("SIGKILL"),
    () => app.start(signal),
    signal,
  );
}

function nodeDead(cluster: Cluster, node: ServerNode, signal: AbortSignal): Promise<void> {
  return deadInMidStream(
    cluster,
    () => node.kill("SIGKILL"),
    () => node.start(signal),
    signal,
  );
}

/** Resolves when the failpoint has killed it, in its start or later. */
async function reached(app: AppProcess, failpoint: string, signal: AbortSignal): Promise<void> {
  await app.ended(AbortSignal.any([signal, AbortSignal.timeout(REACHED_MS)]));
  if (!app.wasKilled) throw new Error(`${app.name} died of something else than ${failpoint}`);
}

/**
 * As GRECO_FAILPOINT takes it. A number of hits, as in `lane.append.after:8`, stands behind what happens at the last of
 * them; `@next` is the epoch of the change that is going to be made.
 */
async function armed({ clients, job }: Cluster, failpoint: string, signal: AbortSignal): Promise<string> {
  const [point = "", hits = "1"] = failpoint.split(":");
  const asArmed = (name: string): string => `${name}:kill:${hits}`;
  if (!point.endsWith("@next")) return asArmed(point);
  const { headVersion } = await clients.registry.getModel({ name: job.parent }, { signal });
  return asArmed(point.replace("@next", `@${headVersion + 1n}`));
}

async function startArmed(app: AppProcess, failpoint: string, signal: AbortSignal): Promise<void> {
  try {
    await app.start(signal, { failpoint });
  } catch (error) {
    // Some are reached before it serves.
    if (!app.wasKilled) throw error;
  }
}

/** Dies by itself at the failpoint while a change is made. */
async function diesAt(
  cluster: Cluster,
  app: AppProcess,
  failpoint: string,
  signal: AbortSignal,
): Promise<void> {
  const point = await armed(cluster, failpoint, signal);
  await app.kill("SIGKILL");
  await startArmed(app, point, signal);
  const comesBack = async (): Promise<void> => {
    await reached(app, failpoint, signal);
    await app.start(signal);
  };
  await Promise.all([cluster.job.change(signal), comesBack()]);
}

/** The ingress that the flow comes to, from the other one, dies at the failpoint; the flow goes back (R5). */
async function ingressDiesAt(cluster: Cluster, failpoint: string, signal: AbortSignal): Promise<void> {
  const { flow } = cluster.job;
  const here = cluster.of("ingress")[flow.at];
  const there = cluster.of("ingress").find((each) => each !== here);
  if (here === undefined || there === undefined) throw new Error("a cluster with two ingresses is needed");
  const point = await armed(cluster, failpoint, signal);
  await there.kill("SIGKILL");
  await startArmed(there, point, signal);
  await here.kill("SIGKILL");
  const comesBack = async (): Promise<void> => {
    await reached(there, failpoint, signal);
    await Promise.all([here.start(signal), there.start(signal)]);
    await flow.more(MEANWHILE, signal);
  };
  await Promise.all([cluster.job.change(signal), comesBack()]);
}

export type Outage = {
  readonly title: string;
  readonly run: (cluster: Cluster, signal: AbortSignal) => Promise<void>;
};

/** A change of this size is frozen by one transaction; deaths between several are in the registry's own kill.int.ts. */
const REGISTRY = [
  ...["registry.freeze.before-seal", "registry.freeze.after-seal"],
  ...["registry.promote.before", "registry.promote.after"],
] as const;
const COORDINATOR = [
  ...["commit.freeze.after", "commit.propose.before", "commit.propose.after", "commit.accepted"],
  ...["commit.prepare.announced", "commit.promote.before", "commit.promote.after"],
  ...["commit.ledger.before", "commit.ledger.after", "commit.settle.before", "commit.settle.after"],
] as const;
const CONDUCTOR = [
  ...["conductor.vote.before", "conductor.vote.after", "conductor.prepare.intent"],
  ...["conductor.prepare.before", "conductor.prepare.after", "conductor.ready.before"],
  ...["conductor.ready.after", "conductor.settle.before", "conductor.settle.after"],
] as const;
const INGRESS = [
  ...["lane.append.before:8", "lane.append.after:8", "ingress.ack.before:8"],
  ...["lane.marker.before@next", "lane.marker.after@next"],
] as const;
const RUNTIME = [
  ...["runtime.append.before:8", "runtime.append.after:8", "runtime.checkpoint.after:2"],
  ...["runtime.marker.before@next", "runtime.marker.after@next"],
] as const;
const CONDUCTORS = ["conductor-streams", "conductor-tables", "conductor-worker"] as const;

const appOutage = (app: App, index: number): Outage => ({
  title: `I8, I9, I11: ${app}-${index} is dead for a while`,
  run: (cluster, signal) => appDead(cluster, cluster.app(`${app}-${index}`), signal),
});

const nodeOutage = (engine: EngineName, index: number): Outage => ({
  title: `I9: node ${index + 1} of ${engine} is dead for a while`,
  run(cluster, signal) {
    const node = cluster.engines[engine].nodes[index];
    if (node === undefined) throw new Error(`${engine} has no node ${index + 1}`);
    return nodeDead(cluster, node, signal);
  },
});

/** Of an app that there is one of. */
const pointOutage = (title: string, app: App, point: string): Outage => ({
  title: `${title} dies at ${point}`,
  run: (cluster, signal) => diesAt(cluster, cluster.app(`${app}-1`), point, signal),
});

/** For a cluster with two ingresses and one of each other app. */
export const outages: readonly Outage[] = [
  ...(["registry", "coordinator", ...CONDUCTORS] as const).map((app) => appOutage(app, 1)),
  ...[appOutage("ingress", 1), appOutage("ingress", 2), appOutage("runtime", 1)],
  ...[nodeOutage("etcd", 0), nodeOutage("etcd", 1), nodeOutage("etcd", 2)],
  ...[nodeOutage("cassandra", 0), nodeOutage("cassandra", 1), nodeOutage("cassandra", 2)],
  nodeOutage("nats", 0),
  ...REGISTRY.map((point) => pointOutage("I2: the registry", "registry", point)),
  ...COORDINATOR.map((point) => pointOutage("I2, I11: the driving coordinator", "coordinator", point)),
  ...CONDUCTORS.flatMap((app) => CONDUCTOR.map((point) => pointOutage(`I1, I11: ${app}`, app, point))),
  ...INGRESS.map((point): Outage => ({
    title: `I8, R5: an ingress dies at ${point}`,
    run: (cluster, signal) => ingressDiesAt(cluster, point, signal),
  })),
  ...RUNTIME.map((point) => pointOutage("I6, I8: the runtime", "runtime", point)),
];

export const outagesNamed = (titles: readonly string[]): readonly Outage[] =>
  titles.map((title) => {
    const found = outages.find((each) => each.title === title);
    if (found === undefined) throw new Error(`no outage is called "${title}"`);
    return found;
  });

const LAST = 5;
const LINE_MAX = 600;

/** What every process said last: for failures. */
export const lastWords = ({ apps }: Cluster): string =>
  apps
    .map(({ name, pid, lines }) => {
      const last = lines.slice(-LAST).map((line) => JSON.stringify(line).slice(0, LINE_MAX));
      return [`${name} ${pid === undefined ? "does not run" : "runs"}`, ...last].join("\n    ");
    })
    .join("\n  ");
