/**
 * AWS Lambda for the main job: a local stand-in that runs functions as processes, and between it and Greco a door that
 * notes which version handled which message. GRECO_LAMBDA_ENDPOINT names a stand-in that runs already (a URL), or AWS
 * itself (`aws`): there is no door in front of AWS, since a request is signed for the host that it goes to.
 */
import {
  CreateRoleCommand,
  EntityAlreadyExistsException,
  GetRoleCommand,
  IAMClient,
} from "@aws-sdk/client-iam";
import { type LambdaFaults, openLambdaFaults } from "../../../tools/lambda-faults/lambda-faults.ts";
import { servers } from "../../../tools/servers/for-tests.ts";
import type { Execution } from "./executions.ts";

export type LambdaTarget = {
  readonly region: string;
  /** Undefined: AWS's own. */
  readonly endpoint: string | undefined;
  /** Taken by every function that names none: GRECO_LAMBDA_ROLE says it where the endpoint is named. */
  readonly role: string | undefined;
  readonly door: Door | undefined;
};

/** What went through so far. */
export type Door = {
  /** The operations, by AWS's names, with when each arrived (milliseconds since 1970). */
  calls(): readonly { readonly operation: string; readonly atMs: number }[];
  /** Which messages were handled, in how many calls. */
  seen(): { readonly calls: number; readonly executions: readonly Execution[] };
};

const REGION = "eu-central-1";
/** In the stand-in. */
const ROLE_NAME = "greco-functions";
const MAY_BE_ASSUMED = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
});

type Messages = { readonly messages?: readonly { readonly lane: string; readonly seq: number }[] };

/** The caller's stack ends what is started. Rejects with MissingToolchainError where it cannot be installed. */
export async function lambdaTarget(
  stack: AsyncDisposableStack,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<LambdaTarget> {
  const region = env["AWS_REGION"] ?? REGION;
  const named = env["GRECO_LAMBDA_ENDPOINT"] ?? "";
  if (named === "aws") {
    say(`lambda: AWS in ${region}`);
    return { region, endpoint: undefined, role: env["GRECO_LAMBDA_ROLE"], door: undefined };
  }
  say(named === "" ? "lambda: starting a local stand-in" : "lambda: GRECO_LAMBDA_ENDPOINT names it");
  const { target, role } =
    named === ""
      ? await standIn(region, stack, env, signal)
      : { target: named, role: env["GRECO_LAMBDA_ROLE"] };
  const faults = stack.use(await openLambdaFaults({ target }, signal));
  say(`lambda: serves at ${faults.endpoint}`);
  return { region, endpoint: faults.endpoint, role, door: watched(faults) };
}

function watched(faults: LambdaFaults): Door {
  const executions: Execution[] = [];
  let calls = 0;
  faults.onCall((call, when) => {
    const { executedVersion } = call.forwarded ?? {};
    if (when !== "after" || call.operation !== "Invoke" || executedVersion === undefined) return;
    const messages = (call.request.body as Messages | undefined)?.messages ?? [];
    if (messages.length === 0) return;
    calls += 1;
    for (const { lane, seq } of messages) executions.push({ lane, seq, version: executedVersion });
  });
  return {
    calls: () => faults.calls,
    seen: () => ({ calls, executions }),
  };
}

/** With the role that functions run as. */
async function standIn(
  region: string,
  stack: AsyncDisposableStack,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ readonly target: string; readonly role: string | undefined }> {
  const { addresses } = stack.use(await servers.ministack({}, signal));
  const target = `http://${addresses[0]}`;
  // It takes any; the SDK wants some.
  env["AWS_ACCESS_KEY_ID"] ??= "stand-in";
  env["AWS_SECRET_ACCESS_KEY"] ??= "stand-in";
  using iam = disposable(new IAMClient({ region, endpoint: target }));
  const options = { abortSignal: signal };
  const wanted = { RoleName: ROLE_NAME, AssumeRolePolicyDocument: MAY_BE_ASSUMED };
  await iam.client.send(new CreateRoleCommand(wanted), options).catch((error: unknown) => {
    // One that others use, too, has it already.
    if (!(error instanceof EntityAlreadyExistsException)) throw error;
  });
  const { Role } = await iam.client.send(new GetRoleCommand({ RoleName: ROLE_NAME }), options);
  return { target, role: Role?.Arn };
}

const disposable = (client: IAMClient) => ({ client, [Symbol.dispose]: () => client.destroy() });
