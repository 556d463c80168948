/**
 * Where programs run: the worker host, and beside it AWS Lambda, where an app is told of its region. Without one, a
 * query with `runtime: lambda` is held, and all others go on.
 */
import { hostsByProgram } from "@greco/adapter-lambda/by-program";
import type { FunctionHost, Log } from "@greco/ports";
import { type Config, config, ConfigError } from "@greco/service-kit";

export const lambdaSettings = {
  lambdaRegion: config.optional(
    config.text(
      "AWS region of the functions that queries with runtime: lambda are; none: such queries are held",
    ),
  ),
  lambdaEndpoint: config.optional(config.text("AWS Lambda's endpoint, if not AWS's own: http://host:port")),
} as const;

export type LambdaConfig = Config<typeof lambdaSettings>;
export type FunctionHostParts = { readonly given: LambdaConfig; readonly log: Log };

/** Disposing it disposes `worker`, too. */
export async function openFunctionHost(
  worker: FunctionHost,
  { given, log }: FunctionHostParts,
): Promise<FunctionHost> {
  const { lambdaRegion: region, lambdaEndpoint: endpoint } = given;
  if (region === undefined) {
    if (endpoint !== undefined)
      throw new ConfigError(["--lambda-region is missing: give the region of --lambda-endpoint"]);
    return hostsByProgram({ worker, lambda: undefined });
  }
  // AWS's SDK is loaded only where it is chosen.
  const { createLambdaFunctionHost } = await import("@greco/adapter-lambda");
  const access = { region, ...(endpoint === undefined ? {} : { endpoint }) };
  return hostsByProgram({ worker, lambda: createLambdaFunctionHost({ access, log }) });
}
