/**
 * The conductor of reference tables, as a process of its own.
 *
 *   node apps/conductor-tables/src/main.ts --help
 */
import { conductorSettings, runConductor } from "@greco/conductor-kit";
import { engineSettings, openEngines } from "@greco/engines";
import { startConductorTables } from "./start.ts";

const ports = ["controlLog", "bindingStore", "laneStore", "wake"] as const;

await runConductor({
  name: "conductor-tables",
  about: "the conductor of reference tables",
  settings: { ...engineSettings(ports), ...conductorSettings },
  openStores: (parts, signal) => openEngines(ports, parts, signal),
  start: startConductorTables,
});
