/**
 * `greco dev`: every app in one process on the embedded adapters. The apps talk to each other by gRPC
 * over loopback, as they do when each is a process of its own; only the stores are shared objects.
 */
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createWorkerFunctionHost } from "@greco/adapter-worker";
import { startConductorStreams } from "@greco/app-conductor-streams";
import { startConductorTables } from "@greco/app-conductor-tables";
import { startConductorWorker } from "@greco/app-conductor-worker";
import { startCoordinator } from "@greco/app-coordinator";
import { startIngress } from "@greco/app-ingress";
import { startRegistry } from "@greco/app-registry";
import { coldBootBy, startRuntime } from "@greco/app-runtime";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ColdBootService } from "@greco/contracts/greco/conductor/v1/cold_boot";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { ConductorDependencies } from "@greco/conductor-kit";
import { type EngineConfig, openFunctionHost } from "@greco/engines";
import type { BindingStore, LaneStore, Log } from "@greco/ports";
import { type Client, createClient } from "@greco/sdk";
import { createLog, type LogLevel, systemClock, systemIds } from "@greco/service-kit";
import { createIdentities, type Person } from "./identities.ts";
import type { DevLambda } from "./lambda.ts";
import { lockFolder } from "./lock.ts";
import { openEngineStores, openStores, type Stores } from "./stores.ts";

export type DevOptions = {
  readonly dataDir: string;
  /** gRPC on N (registry), N+1 (coordinator), N+2 (ingress), N+3 (runtime); Connect on N+10 … N+12. Undefined: free ports. */
  readonly portBase?: number | undefined;
  readonly logLevel?: LogLevel;
  readonly runtimeThreads?: number;
  /** Every lease: of the driver, the conductors and the data plane's writers. Shorter: quicker after a kill. */
  readonly leaseMs?: number;
  /** How long voters may review. Shorter: a voter that is absent leads to an abort sooner. */
  readonly reviewMs?: number;
  /** Where the stores are, unless embedded; the folder then has keys and tokens only. */
  readonly engines?: EngineConfig | undefined;
  /** Where queries with `runtime: lambda` become functions; undefined: nobody takes them. */
  readonly lambda?: DevLambda | undefined;
  /** In place of the embedded ones: opened by the caller, and the caller's to close. */
  readonly stores?: Partial<Stores>;
};

export type DevClients = {
  readonly registry: Client<typeof RegistryService>;
  readonly commit: Client<typeof CommitService>;
  readonly conductors: Client<typeof ConductorService>;
  readonly ingress: Client<typeof IngressService>;
};

export interface Dev extends AsyncDisposable {
  readonly dataDir: string;
  readonly addresses: { readonly registry: string; readonly coordinator: string; readonly ingress: string };
  readonly connectAddresses: {
    readonly registry: string;
    readonly coordinator: string;
    readonly ingress: string;
  };
  readonly tokenDir: string;
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  clients(person: Person): DevClients;
  /** What a conductor of this name may call: for conductors of one's own, and for tests. */
  asConductor(name: string): Promise<Client<typeof ConductorService>>;
  /** For a conductor of one's own in this process. */
  conductorParts(name: string): Promise<ConductorDependencies>;
  /** What to try next, for a model. */
  hints(model: string): string[];
}

const CONDUCTORS = {
  "conductor-streams": startConductorStreams,
  "conductor-tables": startConductorTables,
  "conductor-worker": startConductorWorker,
} as const;

const HOST = "127.0.0.1";
/** One core for the services, one for the programs, on a small machine. */
const RUNTIME_THREADS = 1;
/** A restart goes on after it; two of them must outlast a pause of the process. */
const LEASE_MS = 3_000;
const CALL_DEADLINE_MS = 30_000;

export async function startDev(options: DevOptions, signal: AbortSignal): Promise<Dev> {
  const dir = resolve(options.dataDir);
  const log: Log = createLog({ service: "dev", level: options.logLevel ?? "warn" });
  const leaseMs = options.leaseMs ?? LEASE_MS;
  // One process: what holds a lease of a part dies with all the others, so none need be long.
  const conductorLimits = { leaseMs, quietMs: 2 * leaseMs, writerLeaseMs: leaseMs };
  const deadlines = options.reviewMs === undefined ? {} : { reviewMs: options.reviewMs };
  const basics = { clock: systemClock, ids: systemIds, log };
  await using starting = new AsyncDisposableStack();
  starting.use(await lockFolder(dir));
  // Clients are made as long as it runs, so they have a stack of their own.
  const connections = starting.use(new AsyncDisposableStack());
  const opened =
    options.engines?.engines === "real"
      ? await openEngineStores(options.engines, basics, starting, signal)
      : await openStores(dir, systemClock, starting, signal);
  const stores = { ...opened, ...options.stores };
  const identities = await createIdentities(dir, stores.cp, systemClock, log);
  const { authority } = identities;
  const listen = (offset: number) => ({
    host: HOST,
    port: options.portBase === undefined ? 0 : options.portBase + offset,
  });
  const client = <S extends Parameters<typeof createClient>[0]>(
    service: S,
    address: string,
    token: string,
  ): Client<S> => connections.use(createClient(service, { address, token, deadlineMs: CALL_DEADLINE_MS }));

  const registry = starting.use(
    await startRegistry(
      { ...basics, store: stores.cp, authority },
      { listen: listen(0), connect: listen(10) },
      signal,
    ),
  );
  const coordinator = starting.use(
    await startCoordinator(
      {
        ...basics,
        authority,
        store: stores.cp,
        controlLog: stores.controlLog,
        laneStore: stores.lanes,
        wake: stores.wake,
        registry: client(RegistryService, registry.address, identities.control),
      },
      { listen: listen(1), connect: listen(11), limits: { driverLeaseMs: leaseMs, ...deadlines } },
      signal,
    ),
  );
  const data = { laneStore: stores.lanes, bindingStore: stores.bindings, wake: stores.wake };
  const conductorParts = async (name: string): Promise<ConductorDependencies> => {
    const token = await identities.conductor(name);
    return {
      ...basics,
      ...data,
      controlLog: stores.controlLog,
      coordinator: client(ConductorService, coordinator.address, token),
      registry: client(RegistryService, registry.address, token),
    };
  };
  for (const [name, start] of Object.entries(CONDUCTORS)) {
    // One of them folds the bindings for all (cold boot).
    const writesSnapshots = name === "conductor-streams";
    starting.use(
      await start(await conductorParts(name), { limits: conductorLimits, writesSnapshots }, signal),
    );
  }
  if (options.lambda !== undefined && options.lambda.elsewhere !== true) {
    const parts = await conductorParts("conductor-lambda");
    // AWS's SDK is loaded only where it is asked for.
    const { startLambda } = await import("./lambda.ts");
    await startLambda(options.lambda, parts, { limits: conductorLimits }, starting, signal);
  }
  const ingress = starting.use(
    await startIngress(
      { ...basics, ...data, authority },
      { listen: listen(2), connect: listen(12), operators: ["releaser", "admin"], leaseMs },
      signal,
    ),
  );
  const threads = options.runtimeThreads ?? RUNTIME_THREADS;
  const worker = createWorkerFunctionHost({ threads, clock: systemClock, log });
  const { region: lambdaRegion, endpoint: lambdaEndpoint } = options.lambda ?? {};
  const functionHost = starting.use(
    await openFunctionHost(worker, { given: { lambdaRegion, lambdaEndpoint }, log }),
  );
  const coldBoot = coldBootBy(client(ColdBootService, coordinator.address, identities.runtime));
  starting.use(
    await startRuntime(
      { ...basics, ...data, functionHost, coldBoot },
      { listen: listen(3), leaseMs },
      signal,
    ),
  );

  const addresses = {
    registry: registry.address,
    coordinator: coordinator.address,
    ingress: ingress.address,
  };
  const connectAddresses = {
    registry: registry.connectAddress ?? "",
    coordinator: coordinator.connectAddress ?? "",
    ingress: ingress.connectAddress ?? "",
  };
  const { tokenDir } = identities;
  await writeFile(
    join(dir, "connection.json"),
    `${JSON.stringify({ ...addresses, connect: connectAddresses, tokens: tokenDir }, null, 2)}\n`,
  );
  const clientsOf = (person: Person): DevClients => {
    const token = identities.people[person];
    return {
      registry: client(RegistryService, addresses.registry, token),
      commit: client(CommitService, addresses.coordinator, token),
      conductors: client(ConductorService, addresses.coordinator, token),
      ingress: client(IngressService, addresses.ingress, token),
    };
  };
  const running = starting.move();
  return {
    dataDir: dir,
    addresses,
    connectAddresses,
    tokenDir,
    laneStore: stores.lanes,
    bindingStore: stores.bindings,
    clients: clientsOf,
    conductorParts,
    asConductor: async (name) =>
      client(ConductorService, addresses.coordinator, await identities.conductor(name)),
    hints: (model) => hints(dir, model),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function hints(dir: string, model: string): string[] {
  const greco = `node bin/greco.mjs`;
  const at = `--data ${dir} --model ${model}`;
  return [
    `${greco} status ${at}`,
    `${greco} history ${at}`,
    `${greco} conductor list ${at}`,
    `${greco} rollback 1 ${at} --as releaser --wait`,
  ];
}
