/**
 * A conductor as a process of its own: clients of the control plane, health, stop. Its stores are opened by its
 * `main.ts`, where an app meets its adapters.
 */
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { BindingStore, ControlLog, LaneStore, Wake } from "@greco/ports";
import { createClient, tokenFromFile } from "@greco/sdk";
import {
  config,
  fault,
  runService,
  serve,
  type Authority,
  type Config,
  type ConfigSchema,
  type ServiceParts,
} from "@greco/service-kit";
import type { ConductorDependencies } from "./context.ts";
import type { ConductorOptions, RunningConductor } from "./host.ts";
import { CONDUCTOR_LIMITS } from "./limits.ts";
import { observeConductor } from "./metrics.ts";

export type ConductorStores = {
  readonly controlLog: ControlLog;
  readonly bindingStore: BindingStore;
  readonly laneStore: LaneStore;
  readonly wake: Wake;
};

/** What every conductor is told. */
export const conductorSettings = {
  coordinator: config.text("where the coordinator is, host:port", { default: "127.0.0.1:7402" }),
  registry: config.text("where the registry is, host:port", { default: "127.0.0.1:7401" }),
  tokenFile: config.secretFile("file of the conductor's token"),
  listen: config.listen("where health is served", { default: { host: "127.0.0.1", port: 0 } }),
  leaseMs: config.integer("lease of the conductor, ms", { min: 100, max: 600_000 }, { default: 10_000 }),
  writerLeaseMs: config.integer(
    "--lease-ms of ingress and runtime, or more: what is retired waits twice as long behind the floor (R9)",
    { min: 100, max: 600_000 },
    { default: CONDUCTOR_LIMITS.writerLeaseMs },
  ),
  writesSnapshots: config.optional(
    config.flag("fold the bindings for cold boots; unless told, the conductor of streams does it for all"),
  ),
};
type ConductorSettings = typeof conductorSettings;

export type ConductorProcess<S extends ConfigSchema & ConductorSettings> = {
  /** `conductor-tables` */
  readonly name: string;
  /** One sentence, for `--help`. */
  readonly about: string;
  readonly settings: S;
  /** Opens the stores; the parts' stack owns them. */
  readonly openStores: (parts: ServiceParts<S>, signal: AbortSignal) => Promise<ConductorStores>;
  readonly start: (
    dependencies: ConductorDependencies,
    options: ConductorOptions,
    signal: AbortSignal,
    /** For what a conductor is told beside what every one is. */
    parts: ServiceParts<S>,
  ) => Promise<RunningConductor>;
};

/** No answer to one call takes longer; what is not answered is asked again. */
const CALL_DEADLINE_MS = 30_000;

/** Runs until the process is told to stop. */
export async function runConductor<const S extends ConfigSchema & ConductorSettings>(
  conductor: ConductorProcess<S>,
): Promise<void> {
  const { name, about, settings } = conductor;
  await runService({ name, about, settings, services: [] }, async (parts, signal) => {
    const { stack, clock, ids, log, readiness, metrics } = parts;
    const given: Config<ConductorSettings> = parts.given;
    const stores = await conductor.openStores(parts, signal);
    const options = { token: tokenFromFile(given.tokenFile), deadlineMs: CALL_DEADLINE_MS };
    const coordinator = stack.use(createClient(ConductorService, { address: given.coordinator, ...options }));
    const registry = stack.use(createClient(RegistryService, { address: given.registry, ...options }));
    const { leaseMs, writerLeaseMs, writesSnapshots } = given;
    const running = stack.use(
      await conductor.start(
        { ...stores, coordinator, registry, clock, ids, log },
        {
          limits: { leaseMs, quietMs: 2 * leaseMs, writerLeaseMs },
          ...(writesSnapshots === undefined ? {} : { writesSnapshots }),
        },
        signal,
        parts,
      ),
    );
    if (metrics !== undefined) stack.defer(observeConductor(metrics, running));
    const server = stack.use(
      await serve(
        { services: [], listen: given.listen, authority: nobody, log, ids, readiness, metrics },
        signal,
      ),
    );
    log.info("conductor.started", { health: server.address });
  });
}

/** Only health and reflection are served here, and they ask nobody. */
const nobody: Authority = {
  authenticate() {
    throw fault.unauthenticated("NOT_SERVED", "a conductor serves health and reflection only");
  },
  authorize() {},
};
