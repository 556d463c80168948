/**
 * The conductor of tables as a process of its own, on the embedded stores.
 *
 *   node apps/conductor-tables/src/main.ts --data DIR --token-file FILE [--coordinator HOST:PORT] [--registry HOST:PORT]
 */
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedBindingStore,
  openEmbeddedControlLog,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { runConductor } from "@greco/conductor-kit";
import { startConductorTables } from "./start.ts";

await runConductor({
  name: "conductor-tables",
  start: startConductorTables,
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
