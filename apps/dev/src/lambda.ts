/** The conductor of queries on AWS Lambda, in the process of `greco dev`. Loaded only where it is asked for. */
import { createLambdaClient, createFunctionPackaging } from "@greco/adapter-lambda";
import { awsRegion, createIamClient, startConductorLambda } from "@greco/app-conductor-lambda";
import type { ConductorDependencies, ConductorOptions, RunningConductor } from "@greco/conductor-kit";

export type DevLambda = {
  readonly region: string;
  /** Undefined: AWS itself. */
  readonly endpoint?: string | undefined;
  /** ARN; of functions whose query names none. */
  readonly role?: string | undefined;
  /** What the names of its functions begin with. Default `greco`. */
  readonly prefix?: string | undefined;
  /** The conductor is a process of somebody else's; the runtime here calls its functions all the same. */
  readonly elsewhere?: boolean;
};

const REQUEST_MS = 60_000;

/** The caller's stack ends it. */
export async function startLambda(
  { region, endpoint, role, prefix = "greco" }: DevLambda,
  dependencies: ConductorDependencies,
  options: ConductorOptions,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<RunningConductor> {
  const access = { region, ...(endpoint === undefined ? {} : { endpoint }) };
  // One attempt: who asks looks again.
  const lambda = createLambdaClient(access, { requestTimeoutMs: REQUEST_MS, maxAttempts: 1 });
  stack.defer(() => lambda.destroy());
  const iam = createIamClient(access, REQUEST_MS);
  stack.defer(() => iam.destroy());
  return stack.use(
    await startConductorLambda(
      {
        ...dependencies,
        region: awsRegion({ lambda, iam }),
        packaging: createFunctionPackaging(),
        prefix,
        defaultRole: role,
      },
      options,
      signal,
    ),
  );
}
