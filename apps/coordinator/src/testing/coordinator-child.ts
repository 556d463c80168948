/**
 * A coordinator in a process of its own, for tests that kill it: `coordinator-child.ts DIR REGISTRY PORT`, with
 * GRECO_FAILPOINT in its environment. Says `ready` once it serves.
 */
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedControlLog,
  openEmbeddedCpStore,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { createClient } from "@greco/sdk";
import { systemClock, systemIds } from "@greco/service-kit";
import { trustingAuthority } from "@greco/service-kit/testing";
import { startCoordinator } from "../start-coordinator.ts";
import { QUICK, signal, testLog } from "./world.ts";

const [dir = "", address = "", port = "0"] = process.argv.slice(2);
const at = (name: string) => ({ path: join(dir, `${name}.sqlite`), clock: systemClock });
await startCoordinator(
  {
    store: await openEmbeddedCpStore(at("control"), signal),
    controlLog: await openEmbeddedControlLog(at("control-log")),
    laneStore: await openEmbeddedLaneStore(at("lanes")),
    wake: createEmbeddedWake(),
    registry: createClient(RegistryService, { address, token: "control:coordinator", deadlineMs: 60_000 }),
    clock: systemClock,
    ids: systemIds,
    log: testLog,
    authority: trustingAuthority(),
  },
  {
    listen: { host: "127.0.0.1", port: Number(port) },
    // A machine that stands still must not cost the lead: whoever finds a step done does not come by its failpoint.
    limits: { ...QUICK, intervalMs: 200, driverLeaseMs: 600_000 },
  },
  signal,
);
process.stdout.write("ready\n");
