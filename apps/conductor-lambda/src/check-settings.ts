/** What AWS would refuse of a function, found before anything is asked of AWS. */
import type { Finding } from "@greco/conductor-kit";
import type { QuerySpec } from "@greco/query-kit";
import { AWS_LIMITS } from "./limits.ts";
import type { FunctionConfig } from "./function-config.ts";
import type { WantedFunction } from "./wanted.ts";

export type Found = Omit<Finding, "severity" | "entity">;

const found = (fieldPath: string, reason: string, message: string, remedy: string): Found => ({
  fieldPath,
  reason,
  message,
  remedy,
});

/** Variables that AWS sets itself. */
const RESERVED_VARIABLES = new Set([
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
  "AWS_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_DEFAULT_REGION",
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  "AWS_LAMBDA_FUNCTION_NAME",
  "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_LAMBDA_RUNTIME_API",
  "AWS_REGION",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "LAMBDA_RUNTIME_DIR",
  "LAMBDA_TASK_ROOT",
]);

export function checkSettings(spec: QuerySpec, config: FunctionConfig): readonly Found[] {
  const { memoryMb, timeoutSeconds, role } = config;
  const { memoryMbMin, memoryMbMax, timeoutSecondsMin, timeoutSecondsMax } = AWS_LIMITS;
  const all: Found[] = [];
  if (memoryMb < memoryMbMin || memoryMb > memoryMbMax)
    all.push(
      found(
        "lambda.memoryMb",
        "MEMORY_OUT_OF_RANGE",
        `${memoryMb} MB is not from ${memoryMbMin} to ${memoryMbMax}`,
        `give it from ${memoryMbMin} to ${memoryMbMax} MB`,
      ),
    );
  const { timeoutMs = 0 } = spec;
  if (timeoutSeconds < timeoutSecondsMin || timeoutSeconds > timeoutSecondsMax)
    all.push(
      found(
        "lambda.timeoutSeconds",
        "TIMEOUT_OUT_OF_RANGE",
        `${timeoutSeconds} s is not from ${timeoutSecondsMin} to ${timeoutSecondsMax}`,
        `give it from ${timeoutSecondsMin} to ${timeoutSecondsMax} seconds`,
      ),
    );
  else if (timeoutSeconds * 1_000 < timeoutMs)
    all.push(
      found(
        "lambda.timeoutSeconds",
        "TIMEOUT_BELOW_MESSAGE",
        `a call ends after ${timeoutSeconds} s, and one message may take ${timeoutMs} ms (timeoutMs)`,
        `give the call at least ${Math.ceil(timeoutMs / 1_000)} seconds, or a message less`,
      ),
    );
  if (!/^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(role))
    all.push(
      found(
        "lambda.role",
        role === "" ? "ROLE_MISSING" : "ROLE_NOT_AN_ARN",
        role === ""
          ? "the function has no role to run as"
          : `${JSON.stringify(role)} is not the ARN of a role`,
        "name one, as arn:aws:iam::123456789012:role/name, or give the conductor a default with --role",
      ),
    );
  return [...all, ...checkEnvironment(config.environment), ...checkConcurrency(spec)];
}

function checkEnvironment(environment: Readonly<Record<string, string>>): readonly Found[] {
  const all: Found[] = [];
  const { environmentBytesMax } = AWS_LIMITS;
  const bytes = Buffer.byteLength(JSON.stringify(environment));
  if (bytes > environmentBytesMax)
    all.push(
      found(
        "lambda.environment",
        "ENVIRONMENT_TOO_LARGE",
        `the variables have ${bytes} bytes as JSON, at most ${environmentBytesMax} are allowed`,
        "put what is large into a table, or into the handler",
      ),
    );
  for (const name of Object.keys(environment)) {
    const fieldPath = `lambda.environment.${name}`;
    if (RESERVED_VARIABLES.has(name))
      all.push(found(fieldPath, "VARIABLE_RESERVED", `AWS sets ${name} itself`, "choose another name"));
    else if (!/^[A-Za-z][A-Za-z0-9_]+$/.test(name))
      all.push(
        found(
          fieldPath,
          "VARIABLE_NAME",
          `${JSON.stringify(name)} is no name of a variable on AWS`,
          "letters, digits and _, two at least, a letter first",
        ),
      );
  }
  return all;
}

function checkConcurrency({ lambda = {} }: QuerySpec): readonly Found[] {
  const { reservedConcurrency: reserved, provisionedConcurrency: provisioned } = lambda;
  if (reserved === undefined || provisioned === undefined || provisioned <= reserved) return [];
  return [
    found(
      "lambda.provisionedConcurrency",
      "PROVISIONED_ABOVE_RESERVED",
      `${provisioned} environments are to be kept warm of ${reserved} that are reserved`,
      `keep at most ${reserved} warm, or reserve more`,
    ),
  ];
}

export function checkCode({ zippedBytes, unzippedBytes, query }: WantedFunction): readonly Found[] {
  const { zippedBytesMax, unzippedBytesMax } = AWS_LIMITS;
  const fieldPath = query.handler === undefined ? "tables" : "handler";
  const remedy = "look up smaller tables, or make the handler smaller";
  if (zippedBytes > zippedBytesMax)
    return [
      found(
        fieldPath,
        "ZIP_TOO_LARGE",
        `code and tables have ${zippedBytes} bytes zipped, at most ${zippedBytesMax} are allowed`,
        remedy,
      ),
    ];
  if (unzippedBytes > unzippedBytesMax)
    return [
      found(
        fieldPath,
        "CODE_TOO_LARGE",
        `code and tables have ${unzippedBytes} bytes, at most ${unzippedBytesMax} are allowed`,
        remedy,
      ),
    ];
  return [];
}
