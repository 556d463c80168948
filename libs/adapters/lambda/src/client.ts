/** AWS's own client for Lambda, with connections that stay. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { LAMBDA_LIMITS } from "./limits.ts";

/** Credentials are found where the SDK always looks: environment, shared files, the machine's role. */
export type LambdaAccess = {
  readonly region: string;
  /** Instead of AWS's own: `http://127.0.0.1:4566`. */
  readonly endpoint?: string;
};

export type LambdaClientOptions = {
  readonly maxSockets?: number;
  readonly requestTimeoutMs?: number;
  /** 1: the SDK does not repeat by itself. */
  readonly maxAttempts: number;
};

/** `destroy` it. */
export function createLambdaClient(
  { region, endpoint }: LambdaAccess,
  { maxSockets = LAMBDA_LIMITS.sockets, requestTimeoutMs, maxAttempts }: LambdaClientOptions,
): LambdaClient {
  const agent = { keepAlive: true, maxSockets };
  return new LambdaClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts,
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: LAMBDA_LIMITS.connectMs,
      // Many calls at once are meant: the SDK's warning would only be noise.
      socketAcquisitionWarningTimeout: LAMBDA_LIMITS.requestMs,
      requestTimeout: requestTimeoutMs ?? LAMBDA_LIMITS.requestMs,
      throwOnRequestTimeout: true,
    }),
  });
}
