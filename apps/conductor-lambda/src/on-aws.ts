/** The conductor on AWS itself, or on whatever answers as AWS does at an endpoint: how each deployment starts it. */
import { IAMClient } from "@aws-sdk/client-iam";
import {
  createLambdaClient,
  FUNCTION_HANDLER,
  FUNCTION_RUNTIME,
  functionCode,
  functionSource,
  type LambdaAccess,
} from "@greco/adapter-lambda";
import type { ConductorDependencies, ConductorOptions, RunningConductor } from "@greco/conductor-kit";
import type { Metrics } from "@greco/ports";
import { awsRegion } from "./aws-region.ts";
import { LAMBDA_LIMITS } from "./limits.ts";
import { startConductorLambda } from "./start.ts";
import type { Packaging } from "./wanted.ts";

export type OnAws = {
  readonly access: LambdaAccess;
  /** What the names of its functions begin with. */
  readonly prefix: string;
  /** ARN; of functions whose query names none. */
  readonly role: string | undefined;
  /** Default 15. */
  readonly writesPerSecond?: number;
  readonly metrics?: Metrics;
};

/** An upload of 50 MB on a slow line; what takes longer has no answer, and is looked at again. */
const REQUEST_MS = 60_000;

const packaging: Packaging = {
  runtime: FUNCTION_RUNTIME,
  handler: FUNCTION_HANDLER,
  codeOf: async (query, tables, signal) => functionCode(await functionSource(signal), query, tables),
};

/** Runs until the signal aborts or it is disposed. */
export async function startConductorLambdaOnAws(
  dependencies: ConductorDependencies,
  { access, prefix, role, writesPerSecond, metrics }: OnAws,
  options: ConductorOptions,
  signal: AbortSignal,
): Promise<RunningConductor> {
  await using stack = new AsyncDisposableStack();
  // One attempt: who asks looks again.
  const lambda = createLambdaClient(access, { requestTimeoutMs: REQUEST_MS, maxAttempts: 1 });
  stack.defer(() => lambda.destroy());
  const iam = new IAMClient({ ...access, maxAttempts: 1, requestHandler: { requestTimeout: REQUEST_MS } });
  stack.defer(() => iam.destroy());
  const controlCallsPerSecond = writesPerSecond ?? LAMBDA_LIMITS.controlCallsPerSecond;
  const running = stack.use(
    await startConductorLambda(
      {
        ...dependencies,
        region: awsRegion({ lambda, iam }),
        packaging,
        prefix,
        defaultRole: role,
        lambdaLimits: { controlCallsPerSecond },
        ...(metrics === undefined ? {} : { metrics }),
      },
      options,
      signal,
    ),
  );
  const owned = stack.move();
  return {
    name: running.name,
    status: () => running.status(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
