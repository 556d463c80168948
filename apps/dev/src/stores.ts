/** Every outside system of the platform: on its embedded adapter, in one folder, or on the engines that are named. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedBindingStore,
  openEmbeddedControlLog,
  openEmbeddedCpStore,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { type EngineConfig, openEngines } from "@greco/engines";
import type { BindingStore, Clock, ControlLog, CpStore, LaneStore, Log, Wake } from "@greco/ports";
import { Readiness, waitFor } from "@greco/service-kit";

export type Stores = {
  readonly cp: CpStore;
  readonly controlLog: ControlLog;
  readonly lanes: LaneStore;
  readonly bindings: BindingStore;
  readonly wake: Wake;
};

/** The caller's stack owns what is opened. */
export async function openStores(
  dir: string,
  clock: Clock,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Stores> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const at = (name: string) => ({ path: join(dir, `${name}.sqlite`), clock });
  return {
    cp: stack.use(await openEmbeddedCpStore(at("control"), signal)),
    controlLog: stack.use(await openEmbeddedControlLog(at("control-log"))),
    lanes: stack.use(await openEmbeddedLaneStore(at("lanes"))),
    bindings: stack.use(await openEmbeddedBindingStore(at("bindings"))),
    wake: stack.use(createEmbeddedWake()),
  };
}

/** Of all of them; those that are down are waited for. */
export const PORTS = ["cpStore", "controlLog", "laneStore", "bindingStore", "wake"] as const;

/** On etcd, NATS and Cassandra. The caller's stack owns what is opened. */
export async function openEngineStores(
  given: EngineConfig,
  basics: { readonly clock: Clock; readonly log: Log },
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Stores> {
  const parts = { ...basics, readiness: new Readiness() };
  const opened = await openEngines(
    PORTS,
    {
      ...{ ...parts, given, stack, metrics: undefined },
      waitFor: (dependency, open) => waitFor(dependency, open, parts, signal),
    },
    signal,
  );
  const { cpStore: cp, controlLog, laneStore: lanes, bindingStore: bindings, wake } = opened;
  return { cp, controlLog, lanes, bindings, wake };
}
