/**
 * The conductor of queries that run as functions of AWS Lambda, as a process of its own. Credentials are found where
 * AWS's SDK always looks: environment, shared files, the machine's role.
 *
 *   node apps/conductor-lambda/src/main.ts --help
 */
import { createLambdaClient, createFunctionPackaging } from "@greco/adapter-lambda";
import { conductorSettings, runConductor } from "@greco/conductor-kit";
import { engineSettings, openEngines } from "@greco/engines";
import { config } from "@greco/service-kit";
import { awsRegion, createIamClient } from "./aws-region.ts";
import { LAMBDA_LIMITS, PREFIX_LENGTH_MAX } from "./limits.ts";
import { startConductorLambda } from "./start.ts";

const ports = ["controlLog", "bindingStore", "laneStore", "wake"] as const;

/** An upload of 50 MB on a slow line; what takes longer has no answer, and is looked at again. */
const REQUEST_MS = 60_000;

const prefix = config.text("what the names of its functions begin with", { default: "greco" });

const settings = {
  ...engineSettings(ports),
  ...conductorSettings,
  lambdaRegion: config.text("region of AWS: eu-west-1"),
  lambdaEndpoint: config.optional(config.text("instead of AWS's own, as http://127.0.0.1:4566")),
  role: config.optional(config.text("ARN of the role that functions run as whose query names none")),
  functionPrefix: {
    ...prefix,
    parse(text: string) {
      if (new RegExp(`^[a-z][a-z0-9-]{0,${PREFIX_LENGTH_MAX - 1}}$`).test(text)) return text;
      throw new Error(`must be at most ${PREFIX_LENGTH_MAX} of a-z, 0-9 and -, a letter first`);
    },
  },
  writesPerSecond: config.integer(
    "calls of Lambda's control plane a second, of the 15 that AWS gives an account",
    { min: 1, max: 1_000 },
    { default: LAMBDA_LIMITS.controlCallsPerSecond },
  ),
};

await runConductor({
  name: "conductor-lambda",
  about: "the conductor of queries that run as functions of AWS Lambda",
  settings,
  openStores: (parts, signal) => openEngines(ports, parts, signal),
  start(dependencies, options, signal, { given, metrics, stack }) {
    const { lambdaRegion: region, lambdaEndpoint: endpoint } = given;
    const access = endpoint === undefined ? { region } : { region, endpoint };
    // One attempt: who asks looks again.
    const lambda = createLambdaClient(access, { requestTimeoutMs: REQUEST_MS, maxAttempts: 1 });
    stack.defer(() => lambda.destroy());
    const iam = createIamClient(access, REQUEST_MS);
    stack.defer(() => iam.destroy());
    return startConductorLambda(
      {
        ...dependencies,
        region: awsRegion({ lambda, iam }),
        packaging: createFunctionPackaging(),
        prefix: given.functionPrefix,
        defaultRole: given.role,
        lambdaLimits: { controlCallsPerSecond: given.writesPerSecond },
        ...(metrics === undefined ? {} : { metrics }),
      },
      options,
      signal,
    );
  },
});
