/** Every outside system of the platform on its embedded adapter, in one folder. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedBindingStore,
  openEmbeddedControlLog,
  openEmbeddedCpStore,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import type { BindingStore, Clock, ControlLog, CpStore, LaneStore, Wake } from "@greco/ports";

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
