/**
 * A conductor as a process of its own: configuration, clients of the control plane, health, stop. Its stores
 * are opened by its `main.ts`, where an app meets its adapters.
 */
import { readFile } from "node:fs/promises";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { BindingStore, Clock, ControlLog, LaneStore, Log, Wake } from "@greco/ports";
import { createClient, type TokenSource } from "@greco/sdk";
import {
  config,
  createLog,
  fault,
  parseConfig,
  runProcess,
  serve,
  systemClock,
  systemIds,
  type Authority,
} from "@greco/service-kit";
import type { ConductorDependencies } from "./context.ts";
import type { ConductorOptions, RunningConductor } from "./host.ts";

export type ConductorStores = {
  readonly controlLog: ControlLog;
  readonly bindingStore: BindingStore;
  readonly laneStore: LaneStore;
  readonly wake: Wake;
};

export type ConductorProcess = {
  /** `conductor-tables` */
  readonly name: string;
  /** Opens the stores; the stack owns them. */
  readonly openStores: (
    folder: string,
    clock: Clock,
    stack: AsyncDisposableStack,
  ) => Promise<ConductorStores>;
  readonly start: (
    dependencies: ConductorDependencies,
    options: ConductorOptions,
    signal: AbortSignal,
  ) => Promise<RunningConductor>;
};

const schema = {
  data: config.text("folder of the stores"),
  coordinator: config.text("where the coordinator is, host:port", { default: "127.0.0.1:7402" }),
  registry: config.text("where the registry is, host:port", { default: "127.0.0.1:7401" }),
  tokenFile: config.secretFile("file of the conductor's token"),
  listen: config.listen("where health is served", { default: { host: "127.0.0.1", port: 0 } }),
  leaseMs: config.integer("lease of the conductor, ms", { min: 100, max: 600_000 }, { default: 10_000 }),
  logLevel: config.oneOf("what is logged", ["debug", "info", "warn", "error"], { default: "info" }),
};

/** No answer to one call takes longer; what is not answered is asked again. */
const CALL_DEADLINE_MS = 30_000;
/** A token that was exchanged is used after this at the latest. */
const TOKEN_KEPT_MS = 30_000;

/** Runs until the process is told to stop. */
export async function runConductor({ name, openStores, start }: ConductorProcess): Promise<void> {
  let log: Log = createLog({ service: name });
  await runProcess(
    async (signal) => {
      const given = parseConfig(schema, { flags: process.argv.slice(2), env: process.env });
      log = createLog({ service: name, level: given.logLevel });
      await using starting = new AsyncDisposableStack();
      const stores = await openStores(given.data, systemClock, starting);
      const token = tokenIn(given.tokenFile, systemClock);
      const options = { token, deadlineMs: CALL_DEADLINE_MS };
      const coordinator = createClient(ConductorService, { address: given.coordinator, ...options });
      const registry = createClient(RegistryService, { address: given.registry, ...options });
      starting.use(coordinator);
      starting.use(registry);
      const dependencies = { ...stores, coordinator, registry, clock: systemClock, ids: systemIds, log };
      const { leaseMs } = given;
      starting.use(await start(dependencies, { limits: { leaseMs, quietMs: 2 * leaseMs } }, signal));
      const server = await serve({ services: [], listen: given.listen, authority: nobody, log }, signal);
      starting.use(server);
      log.info("conductor.started", { health: server.address });
      return starting.move();
    },
    { log },
  );
}

/** Only health and reflection are served here, and they ask nobody. */
const nobody: Authority = {
  authenticate() {
    throw fault.unauthenticated("NOT_SERVED", "a conductor serves health and reflection only");
  },
  authorize() {},
};

function tokenIn(file: string, clock: Clock): TokenSource {
  let kept: { readonly token: string; readonly untilMs: number } | undefined;
  return async () => {
    if (kept === undefined || clock.monotonicMs() > kept.untilMs)
      kept = {
        token: (await readFile(file, "utf8")).trim(),
        untilMs: clock.monotonicMs() + TOKEN_KEPT_MS,
      };
    return kept.token;
  };
}
