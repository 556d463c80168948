/** Wires a runtime: models with their runners, and a port on which it says that it is well. */
import { noMetrics } from "@greco/ports";
import type { RunnerStatus } from "@greco/runtime-kit";
import type { Authority } from "@greco/service-kit";
import { failpoint as environmentFailpoint, fault, serve } from "@greco/service-kit";
import { RUNTIME_APP_LIMITS } from "./limits.ts";
import { observeRuntime } from "./metrics.ts";
import { Models } from "./models.ts";
import type { RuntimeContext, RuntimeDependencies, RuntimeOptions } from "./options.ts";

export interface RunningRuntime extends AsyncDisposable {
  /** Health by gRPC: `127.0.0.1:50051` */
  readonly address: string;
  readonly port: number;
  /** Of each model: units, where they hold, what was counted. */
  status(): readonly RunnerStatus[];
}

/** Health and reflection are open to everybody, and there is nothing else to call. */
const nobody: Authority = {
  authenticate() {
    throw fault.unauthenticated("NO_CALLS", "a runtime is not called: it reads lanes");
  },
  authorize() {
    throw fault.unauthenticated("NO_CALLS", "a runtime is not called: it reads lanes");
  },
};

/** Resolves when it runs. `signal` bounds the start; afterwards it runs until it is disposed, gracefully. */
export async function startRuntime(
  dependencies: RuntimeDependencies,
  options: RuntimeOptions,
  signal: AbortSignal,
): Promise<RunningRuntime> {
  const { log, ids, readiness, metrics, laneStore } = dependencies;
  await using starting = new AsyncDisposableStack();
  const models = starting.use(new Models(contextOf(dependencies, options)));
  await models.start(signal);
  const looking = new AbortController();
  starting.defer(() => looking.abort(new Error("the runtime stops")));
  starting.defer(observeRuntime(metrics ?? noMetrics, () => models.status(), laneStore, looking.signal));
  const server = starting.use(
    await serve(
      { services: [], listen: options.listen, authority: nobody, log, ids, readiness, metrics },
      signal,
    ),
  );
  const running = starting.move();
  const { address, port } = server;
  log.info("runtime.serving", { address });
  return {
    address,
    port,
    status: () => models.status(),
    // In the reverse order: whoever balances learns first that it goes.
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function contextOf(dependencies: RuntimeDependencies, options: RuntimeOptions): RuntimeContext {
  const { name = "runtime", limits = {}, models, crash = throwUncaught } = options;
  const { leaseMs, modelsPollMs } = { ...RUNTIME_APP_LIMITS, ...options };
  // Unarmed, a failpoint in the message path should cost not even a promise.
  const isArmed = (process.env["GRECO_FAILPOINT"] ?? "") !== "";
  const failpoint = options.failpoint ?? (isArmed ? environmentFailpoint : undefined);
  return {
    ...dependencies,
    name,
    leaseMs,
    modelsPollMs,
    limits,
    crash,
    epochCheck: options.benchmarkWithoutEpochCheck !== true,
    ...(models === undefined ? {} : { models }),
    ...(failpoint === undefined ? {} : { failpoint }),
  };
}

function throwUncaught(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
