/**
 * The conductor of streams as a process of its own, on the embedded stores.
 *
 *   node apps/conductor-streams/src/main.ts --data DIR --token-file FILE [--coordinator HOST:PORT] [--registry HOST:PORT]
 */
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedBindingStore,
  openEmbeddedControlLog,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { runConductor } from "@greco/conductor-kit";
import { startConductorStreams } from "./start.ts";

await runConductor({
  name: "conductor-streams",
  start: startConductorStreams,
  openStores: async (folder, clock, stack) => {
    const at = (name: string) => ({ path: join(folder, `${name}.sqlite`), clock });
    return {
      controlLog: stack.use(await openEmbeddedControlLog(at("control-log"))),
      bindingStore: stack.use(await openEmbeddedBindingStore(at("bindings"))),
      laneStore: stack.use(await openEmbeddedLaneStore(at("lanes"))),
      wake: stack.use(createEmbeddedWake()),
    };
  },
});
