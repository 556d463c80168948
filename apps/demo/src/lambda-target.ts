/**
 * AWS Lambda for the main job: the endpoint that the environment names, or a local stand-in that runs functions as
 * processes; and between it and Greco a door that notes which version handled which message.
 */
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { openLambdaFaults } from "../../../tools/lambda-faults/lambda-faults.ts";
import { servers } from "../../../tools/servers/for-tests.ts";
import type { Execution } from "./executions.ts";

export type LambdaTarget = {
  readonly region: string;
  readonly endpoint: string;
  /** Taken by every function that names none: GRECO_LAMBDA_ROLE says it where the endpoint is named. */
  readonly role: string | undefined;
  /** The operations that went through so far, by AWS's names. */
  calls(): readonly string[];
  /** Which messages were handled so far. */
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
  const named = env["GRECO_LAMBDA_ENDPOINT"] ?? "";
  say(named === "" ? "lambda: starting a local stand-in" : "lambda: GRECO_LAMBDA_ENDPOINT names it");
  const region = env["AWS_REGION"] ?? REGION;
  const { target, role } =
    named === ""
      ? await standIn(region, stack, env, signal)
      : { target: named, role: env["GRECO_LAMBDA_ROLE"] };
  const door = stack.use(await openLambdaFaults({ target }, signal));
  say(`lambda: serves at ${door.endpoint}`);
  const executions: Execution[] = [];
  let calls = 0;
  door.onCall((call, when) => {
    const { executedVersion } = call.forwarded ?? {};
    if (when !== "after" || call.operation !== "Invoke" || executedVersion === undefined) return;
    const messages = (call.request.body as Messages | undefined)?.messages ?? [];
    if (messages.length === 0) return;
    calls += 1;
    for (const { lane, seq } of messages) executions.push({ lane, seq, version: executedVersion });
  });
  return {
    region,
    endpoint: door.endpoint,
    role,
    calls: () => door.calls.map(({ operation }) => operation),
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
  const wanted = { RoleName: ROLE_NAME, AssumeRolePolicyDocument: MAY_BE_ASSUMED };
  const { Role } = await iam.client.send(new CreateRoleCommand(wanted), { abortSignal: signal });
  return { target, role: Role?.Arn };
}

const disposable = (client: IAMClient) => ({ client, [Symbol.dispose]: () => client.destroy() });
