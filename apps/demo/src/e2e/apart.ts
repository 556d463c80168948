/** B-apart: what goes on while the whole control plane is down, and while one node of Cassandra is. */
import { modelId } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { expect } from "vitest";
import { until } from "../story.ts";
import type { App, AppProcess } from "./app-process.ts";
import type { Cluster } from "./cluster.ts";
import { goesOn } from "./processing.ts";

const CONTROL_PLANE: readonly App[] = [
  ...(["registry", "coordinator"] as const),
  ...(["conductor-streams", "conductor-tables", "conductor-worker"] as const),
];
const FLIGHTS = 100;

const controlPlaneOf = (cluster: Cluster): readonly AppProcess[] =>
  CONTROL_PLANE.flatMap((app) => cluster.of(app));

/** How many of them run. */
const running = (cluster: Cluster): number =>
  [...controlPlaneOf(cluster), ...cluster.engines.etcd.nodes].filter(({ pid }) => pid !== undefined).length;

/** All at once, with no farewell. */
async function stopControlPlane(cluster: Cluster): Promise<void> {
  const parts = [...controlPlaneOf(cluster), ...cluster.engines.etcd.nodes];
  await Promise.all(parts.map((each) => each.kill("SIGKILL")));
}

/** The apps wait for etcd by themselves. */
async function startControlPlane(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const parts = [...cluster.engines.etcd.nodes, ...controlPlaneOf(cluster)];
  await Promise.all(parts.map((each) => each.start(signal)));
}

/** Everything that is open is this runtime's. */
async function hasAll(cluster: Cluster, runtime: AppProcess, signal: AbortSignal): Promise<true> {
  const model = modelId(cluster.job.parent.replace("models/", ""));
  return until(async () => {
    const open = (await cluster.lanes.listClaims(model, signal)).filter(({ done }) => !done);
    return open.length > 0 && open.every((claim) => claim.runtime === runtime.name) ? true : undefined;
  }, signal);
}

/** At least so long, and as long as it takes; every look is at what is stored. */
async function goesOnFor(cluster: Cluster, forMs: number, signal: AbortSignal): Promise<void> {
  const began = systemClock.monotonicMs();
  do await goesOn(cluster, FLIGHTS, signal);
  while (systemClock.monotonicMs() - began < forMs);
}

/**
 * I9, I12: one of two runtimes runs. Afterwards it is the other way round: that one has started without a control
 * plane, and has all the work.
 */
export async function controlPlaneApart(cluster: Cluster, forMs: number, signal: AbortSignal): Promise<void> {
  const [old, fresh] = runtimesOf(cluster);
  // A change behind it, so that bindings of two epochs are needed of whoever starts.
  await cluster.job.change(signal);
  await goesOn(cluster, FLIGHTS, signal);
  await stopControlPlane(cluster);
  await goesOnFor(cluster, forMs / 2, signal);
  await fresh.start(signal);
  await old.kill("SIGKILL");
  await goesOnFor(cluster, forMs / 2, signal);
  await hasAll(cluster, fresh, signal);
  // All of that without any of them.
  expect(running(cluster)).toBe(0);
  await startControlPlane(cluster, signal);
  await changeGoesThrough(cluster, signal);
}

/** I9: the same with a minority of Cassandra's nodes, and commits go through meanwhile. */
export async function cassandraNodeApart(
  cluster: Cluster,
  node: number,
  forMs: number,
  signal: AbortSignal,
): Promise<void> {
  const down = cluster.engines.cassandra.nodes[node];
  if (down === undefined) throw new Error(`Cassandra has no node ${node}`);
  const [old, fresh] = runtimesOf(cluster);
  await down.kill("SIGKILL");
  await goesOnFor(cluster, forMs / 2, signal);
  await fresh.start(signal);
  await old.kill("SIGKILL");
  await goesOnFor(cluster, forMs / 2, signal);
  await hasAll(cluster, fresh, signal);
  await changeGoesThrough(cluster, signal);
  expect(down.pid).toBeUndefined();
  await down.start(signal);
  await changeGoesThrough(cluster, signal);
}

/** The one that runs, and the one that does not. */
function runtimesOf(cluster: Cluster): readonly [AppProcess, AppProcess] {
  const runtimes = cluster.of("runtime");
  const on = runtimes.find(({ pid }) => pid !== undefined);
  const off = runtimes.find(({ pid }) => pid === undefined);
  if (on === undefined || off === undefined) throw new Error("one of two runtimes is to run");
  return [on, off];
}

/** The next commit, settled, and what flows under it. */
async function changeGoesThrough(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const before = (await cluster.job.rulesByVersion(signal)).length;
  const { version } = await cluster.job.change(signal);
  expect(version).toBe(before + 1);
  await goesOn(cluster, FLIGHTS, signal);
}

/** Nothing lost, nothing twice, nothing under the wrong rules. */
export async function isRight(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { inputs, lost, duplicated, misapplied, mistakes } = await cluster.job.check(signal);
  expect({ lost, duplicated, misapplied, mistakes }).toEqual({
    ...{ lost: 0, duplicated: 0, misapplied: 0 },
    mistakes: [],
  });
  expect(inputs).toBeGreaterThan(FLIGHTS);
}
