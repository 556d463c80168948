/** The conductor with what goes on behind the marker, on a region that is handed in. */
import {
  startConductor,
  type ConductorDependencies,
  type ConductorOptions,
  type RunningConductor,
} from "@greco/conductor-kit";
import { noMetrics, type Metrics } from "@greco/ports";
import { createLambdaConductor } from "./conductor.ts";
import { GoLive } from "./go-live.ts";
import { LAMBDA_LIMITS, type LambdaLimits } from "./limits.ts";
import type { Workshop } from "./make-function.ts";
import { pacedRegion } from "./paced-region.ts";
import { TokenBucket, type Urgency } from "./rate.ts";
import type { Region } from "./region.ts";
import { Turns } from "./turns.ts";
import type { Wishes } from "./wanted.ts";

export type LambdaConductorDependencies = ConductorDependencies &
  Wishes & {
    readonly region: Region;
    readonly metrics?: Metrics;
    readonly lambdaLimits?: Partial<LambdaLimits>;
  };

/** Runs until the signal aborts or it is disposed. */
export async function startConductorLambda(
  dependencies: LambdaConductorDependencies,
  options: ConductorOptions,
  signal: AbortSignal,
): Promise<RunningConductor> {
  const { clock, ids, log, metrics = noMetrics, prefix, laneStore, bindingStore } = dependencies;
  const limits: LambdaLimits = { ...LAMBDA_LIMITS, ...dependencies.lambdaLimits };
  const control = new TokenBucket(clock, limits.controlCallsPerSecond);
  const reads = new TokenBucket(clock, limits.readsPerSecond);
  const calls = metrics.counter("greco_lambda_calls_total", "calls of AWS by operation and result");
  const workshopOf = (urgency: Urgency): Workshop => {
    const region = pacedRegion(dependencies.region, { control, reads }, calls, urgency);
    return { region, clock, ids, log, limits };
  };
  const [workshop, unhurried] = [workshopOf("first"), workshopOf("later")];
  const turns = new Turns();
  const live = new GoLive({ workshop: unhurried, prefix, laneStore, bindingStore, turns });
  await using stack = new AsyncDisposableStack();
  stack.defer(
    metrics.state("greco_lambda_waiting_calls", "calls of AWS that wait for their turn, by bucket", () => [
      { value: control.waiting, labels: { bucket: "control" } },
      { value: reads.waiting, labels: { bucket: "reads" } },
    ]),
  );
  stack.defer(
    metrics.state(
      "greco_lambda_functions_behind",
      "functions whose newest version not every lane has crossed into, or AWS was not told of yet",
      () => [...live.waiting].map(([model, value]) => ({ value, labels: { model } })),
    ),
  );
  const { defaultRole, packaging } = dependencies;
  const conductor = createLambdaConductor({
    workshop,
    unhurried,
    live,
    turns,
    prefix,
    defaultRole,
    packaging,
  });
  const running = await startConductor(conductor, dependencies, options, signal);
  stack.use(running);
  const owned = stack.move();
  return {
    name: running.name,
    status: () => running.status(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
