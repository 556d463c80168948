/**
 * The conductor of streams: lanes, access, retention, as a process of its own.
 *
 *   node apps/conductor-streams/src/main.ts --help
 */
import { conductorSettings, runConductor } from "@greco/conductor-kit";
import { engineSettings, openEngines } from "@greco/engines";
import { startConductorStreams } from "./start.ts";

const ports = ["controlLog", "bindingStore", "laneStore", "wake"] as const;

await runConductor({
  name: "conductor-streams",
  about: "the conductor of streams: lanes, access, retention",
  settings: { ...engineSettings(ports), ...conductorSettings },
  openStores: (parts, signal) => openEngines(ports, parts, signal),
  start: startConductorStreams,
});
