/**
 * The conductor of queries that run on the runtime's own threads, as a process of its own.
 *
 *   node apps/conductor-worker/src/main.ts --help
 */
import { conductorSettings, runConductor } from "@greco/conductor-kit";
import { engineSettings, openEngines } from "@greco/engines";
import { startConductorWorker } from "./start.ts";

const ports = ["controlLog", "bindingStore", "laneStore", "wake"] as const;

await runConductor({
  name: "conductor-worker",
  about: "the conductor of queries that run on the runtime's own threads",
  settings: { ...engineSettings(ports), ...conductorSettings },
  openStores: (parts, signal) => openEngines(ports, parts, signal),
  start: startConductorWorker,
});
