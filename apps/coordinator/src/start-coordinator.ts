/** One screen: what the coordinator is made of. */
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { noMetrics } from "@greco/ports";
import type { Clock, ControlLog, CpStore, Ids, LaneStore, Log, Metrics, Wake } from "@greco/ports";
import type { Client } from "@greco/sdk";
import {
  failpoint,
  serve,
  type Authority,
  type ConnectListen,
  type Failpoint,
  type Listen,
  type Readiness,
  type ServerLimits,
} from "@greco/service-kit";
import { Questions } from "./asking/questions.ts";
import type { Coordinator } from "./coordinator.ts";
import { Driver } from "./driver/driver.ts";
import { Fence } from "./driver/fence.ts";
import { runLeadership } from "./driver/leadership.ts";
import { takeAnswer } from "./handlers/answer.ts";
import { inspectSort } from "./inspect/inspections.ts";
import { ANSWER_BYTES_MAX, COORDINATOR_LIMITS, type CoordinatorLimits } from "./limits.ts";
import { createCounts, observeDriver } from "./metrics.ts";
import type { Parts } from "./parts.ts";
import { planSort } from "./plan/plans.ts";
import { Repairs } from "./repairs.ts";
import { services } from "./services.ts";
import { ProposalStore } from "./store/proposal-store.ts";

export type CoordinatorDependencies = {
  /** The same as the registry's. What is given here stays the caller's to close. */
  readonly store: CpStore;
  readonly registry: Client<typeof RegistryService>;
  readonly controlLog: ControlLog;
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly authority: Authority;
  /** Health follows it. */
  readonly readiness?: Readiness | undefined;
  /** For operators; absent: nobody looks. */
  readonly metrics?: Metrics | undefined;
};

export type CoordinatorOptions = {
  readonly listen: Listen;
  readonly connect?: ConnectListen;
  readonly limits?: Partial<CoordinatorLimits>;
  readonly serverLimits?: Partial<ServerLimits>;
  readonly failpoint?: Failpoint;
  /** What a broken invariant does; default: it is thrown where nobody catches it. */
  readonly crash?: (error: unknown) => void;
};

export interface RunningCoordinator extends AsyncDisposable {
  readonly address: string;
  readonly connectAddress?: string;
  /** Whether this replica drives at the moment. */
  readonly driving: boolean;
}

/** `signal` bounds the start; afterwards the coordinator runs until it is disposed. */
export async function startCoordinator(
  dependencies: CoordinatorDependencies,
  options: CoordinatorOptions,
  signal: AbortSignal,
): Promise<RunningCoordinator> {
  const { store, registry, controlLog, laneStore, wake, clock, ids, log, authority } = dependencies;
  const limits = { ...COORDINATOR_LIMITS, ...options.limits };
  const stopping = new AbortController();
  const running = stopping.signal;
  await using starting = new AsyncDisposableStack();
  starting.defer(() => stopping.abort(new Error("the coordinator stops")));

  const crash = options.crash ?? throwUncaught;
  const metrics = dependencies.metrics ?? noMetrics;
  const parts: Parts = {
    ...{ store, registry, controlLog, laneStore, wake, clock, ids, log, limits, running, crash },
    failpoint: options.failpoint ?? failpoint,
    counts: createCounts(metrics),
  };
  const replica = ids.next();
  const proposals = new ProposalStore(store, limits);
  const plans = new Questions(parts, replica, planSort);
  const inspections = new Questions(parts, replica, inspectSort);
  const fence = new Fence();
  const fenced = fence.around(store);
  const driver: Driver = new Driver(
    { ...parts, store: fenced },
    new ProposalStore(fenced, limits),
    (request, each) => takeAnswer({ parts, driver }, request, each),
  );
  const repairs = new Repairs(clock, limits);
  const coordinator: Coordinator = { parts, proposals, driver, plans, inspections, repairs };

  starting.defer(observeDriver(metrics, driver));
  const leading = runLeadership(parts, replica, fence, (scope) => driver.drive(scope), running);
  starting.defer(() => leading);
  starting.defer(() => stopping.abort(new Error("the coordinator stops")));
  const server = starting.use(
    await serve(
      {
        services: services(coordinator),
        listen: options.listen,
        ...(options.connect === undefined ? {} : { connect: options.connect }),
        limits: { messageBytesMax: ANSWER_BYTES_MAX, ...options.serverLimits },
        ...{ authority, log, ids, crash, readiness: dependencies.readiness, metrics: dependencies.metrics },
      },
      signal,
    ),
  );
  log.info("coordinator.started", { address: server.address, replica });
  const owned = starting.move();
  return {
    address: server.address,
    ...(server.connectAddress === undefined ? {} : { connectAddress: server.connectAddress }),
    get driving() {
      return driver.driving;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function throwUncaught(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
