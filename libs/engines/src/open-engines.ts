/** From the configuration to the ports that an app needs, opened. */
import type { ServiceParts } from "@greco/service-kit";
import { countedLaneStore } from "./counted.ts";
import { embedded } from "./embedded.ts";
import type { PortName, Ports } from "./ports.ts";
import { checkEngines, type EngineConfig } from "./settings.ts";

/** What of a service's parts the engines are opened with. */
export type EngineParts = Pick<
  ServiceParts<never>,
  "clock" | "log" | "metrics" | "stack" | "readiness" | "waitFor"
> & {
  readonly given: EngineConfig;
};

/** The parts' stack owns what is opened. Waits for real engines that are down. */
export async function openEngines<const P extends PortName>(
  ports: readonly P[],
  parts: EngineParts,
  signal: AbortSignal,
): Promise<Pick<Ports, P>> {
  checkEngines(parts.given, ports);
  const opened: Partial<Record<PortName, Ports[PortName]>> = {};
  if (parts.given.engines === "embedded") {
    const open = embedded(parts.given.data ?? "", parts.clock);
    for (const port of ports) opened[port] = parts.stack.use(await open[port](signal));
  } else {
    // Their drivers are loaded only where they are chosen.
    const { openReal } = await import("./real.ts");
    Object.assign(opened, await openReal(ports, parts, signal));
  }
  const { metrics } = parts;
  const { laneStore } = opened as Partial<Ports>;
  if (laneStore !== undefined && metrics !== undefined)
    opened.laneStore = countedLaneStore(laneStore, metrics);
  return opened as Pick<Ports, P>;
}
