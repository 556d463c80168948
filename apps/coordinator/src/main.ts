/**
 * The coordinator as a process of its own.
 *
 *   node apps/coordinator/src/main.ts --help
 */
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ColdBootService } from "@greco/contracts/greco/conductor/v1/cold_boot";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { roleOf } from "@greco/control-kit";
import { engineSettings, openEngines } from "@greco/engines";
import { createClient, tokenFromFile } from "@greco/sdk";
import { config, createAuthority, keysFromFile, runService, tokenVerifier } from "@greco/service-kit";
import { COORDINATOR_LIMITS } from "./limits.ts";
import { startCoordinator } from "./start-coordinator.ts";

const ports = ["cpStore", "controlLog", "laneStore", "wake"] as const;

/** A call that hangs must not hold a deadline up for longer than this. */
const CALL_DEADLINE_MS = 10_000;

await runService(
  {
    name: "coordinator",
    about: "drives proposals: asks the conductors, has the registry decide, writes the ledger",
    services: [CommitService, ConductorService, ColdBootService],
    settings: {
      ...engineSettings(ports),
      keys: config.text("file of the public keys that tokens are checked by, a JWK set"),
      registry: config.text("where the registry is, host:port", { default: "127.0.0.1:7401" }),
      tokenFile: config.secretFile("file of the token by which the registry knows the coordinator"),
      listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 7402 } }),
      connect: config.listen("where Connect and gRPC-Web are served", {
        default: { host: "127.0.0.1", port: 7412 },
      }),
      leaseMs: config.integer(
        "the driver's lease, ms, the same for every coordinator",
        { min: 1_000, max: 600_000 },
        { default: COORDINATOR_LIMITS.driverLeaseMs },
      ),
    },
  },
  async (parts, signal) => {
    const { given, stack, clock, ids, log, readiness, metrics } = parts;
    const { cpStore: store, ...data } = await openEngines(ports, parts, signal);
    const token = tokenFromFile(given.tokenFile);
    const registry = stack.use(
      createClient(RegistryService, { address: given.registry, token, deadlineMs: CALL_DEADLINE_MS }),
    );
    const authority = createAuthority({
      tokens: tokenVerifier(await keysFromFile(given.keys, clock, log), clock),
      roleOf: (model, subject, each) => roleOf(store, model, subject, each),
    });
    const { listen, connect, leaseMs } = given;
    stack.use(
      await startCoordinator(
        { store, registry, ...data, clock, ids, log, authority, readiness, metrics },
        { listen, connect, limits: { driverLeaseMs: leaseMs } },
        signal,
      ),
    );
  },
);
