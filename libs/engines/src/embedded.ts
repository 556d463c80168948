/** All ports on SQLite, in one folder: what several processes on one machine may share. */
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedBindingStore,
  openEmbeddedControlLog,
  openEmbeddedCpStore,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import type { Clock } from "@greco/ports";
import type { PortName, Ports } from "./ports.ts";

type Openers = { readonly [P in PortName]: (signal: AbortSignal) => Promise<Ports[P]> };

export function embedded(folder: string, clock: Clock): Openers {
  const at = (name: string) => ({ path: join(folder, `${name}.sqlite`), clock });
  return {
    cpStore: (signal) => openEmbeddedCpStore(at("control"), signal),
    controlLog: () => openEmbeddedControlLog(at("control-log")),
    laneStore: () => openEmbeddedLaneStore(at("lanes")),
    bindingStore: () => openEmbeddedBindingStore(at("bindings")),
    wake: () => Promise.resolve(createEmbeddedWake()),
  };
}
