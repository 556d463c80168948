/**
 * The region on AWS itself, or on what speaks its protocol. One call here is one request: the clients are made with
 * one attempt, since whoever asked looks again.
 */
import { GetRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  DeleteFunctionConcurrencyCommand,
  DeleteProvisionedConcurrencyConfigCommand,
  GetAccountSettingsCommand,
  GetAliasCommand,
  GetFunctionCommand,
  GetProvisionedConcurrencyConfigCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  PutProvisionedConcurrencyConfigCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type FunctionConfiguration,
  type GetFunctionCommandOutput,
  type LambdaClient,
  type Runtime,
} from "@aws-sdk/client-lambda";
import { toRegionError } from "./aws-error.ts";
import type { FunctionConfig } from "./function-config.ts";
import type { OperationName } from "./operations.ts";
import {
  RegionError,
  type FunctionFacts,
  type ProvisionedFacts,
  type Region,
  type VersionFacts,
} from "./region.ts";

export type AwsClients = { readonly lambda: LambdaClient; readonly iam: IAMClient };

export type AwsAccess = {
  readonly region: string;
  /** Instead of AWS's own. */
  readonly endpoint?: string;
};

/** Roles are looked at with it. `destroy` it. */
export const createIamClient = (access: AwsAccess, requestTimeoutMs: number): IAMClient =>
  new IAMClient({ ...access, maxAttempts: 1, requestHandler: { requestTimeout: requestTimeoutMs } });

export function awsRegion({ lambda, iam }: AwsClients): Region {
  return {
    getFunction: (FunctionName, Qualifier, signal) =>
      read("getFunction", signal, async (options) => {
        const about = Qualifier === undefined ? { FunctionName } : { FunctionName, Qualifier };
        return factsOf(await lambda.send(new GetFunctionCommand(about), options));
      }),
    listVersions: (FunctionName, signal) => listVersions(lambda, FunctionName, signal),
    createFunction: ({ name, config, zip, tags, description }, signal) =>
      write("createFunction", signal, async () => {
        await lambda.send(
          new CreateFunctionCommand({
            FunctionName: name,
            Code: { ZipFile: zip },
            Description: description,
            Publish: false,
            PackageType: "Zip",
            Architectures: [architectureOf(config)],
            Tags: { ...tags },
            ...settingsOf(config),
          }),
        );
      }),
    updateConfiguration: ({ name, config, revisionId }, signal) =>
      write("updateConfiguration", signal, async () => {
        const about = { FunctionName: name, RevisionId: revisionId, ...settingsOf(config) };
        await lambda.send(new UpdateFunctionConfigurationCommand(about));
      }),
    updateCode: ({ name, zip, architecture, revisionId }, signal) =>
      write("updateCode", signal, async () => {
        await lambda.send(
          new UpdateFunctionCodeCommand({
            FunctionName: name,
            ZipFile: zip,
            Architectures: [architecture === "arm64" ? "arm64" : "x86_64"],
            RevisionId: revisionId,
            Publish: false,
          }),
        );
      }),
    publishVersion: ({ name, codeSha256, revisionId, description }, signal) =>
      write("publishVersion", signal, async () => {
        const published = await lambda.send(
          new PublishVersionCommand({
            FunctionName: name,
            CodeSha256: codeSha256,
            RevisionId: revisionId,
            Description: description,
          }),
        );
        return versionOf(published);
      }),
    deleteFunction: (FunctionName, Qualifier, signal) =>
      gone("deleteFunction", signal, async () => {
        const about = Qualifier === undefined ? { FunctionName } : { FunctionName, Qualifier };
        await lambda.send(new DeleteFunctionCommand(about));
      }),
    ...concurrencyOf(lambda),
    ...aliasesOf(lambda),
    getAccount: (signal) =>
      read("getAccount", signal, async (options) => {
        const { AccountLimit: limit, AccountUsage: usage } = await lambda.send(
          new GetAccountSettingsCommand({}),
          options,
        );
        if (limit === undefined || usage === undefined) return undefined;
        return {
          codeBytesMax: limit.TotalCodeSize ?? Number.POSITIVE_INFINITY,
          codeBytes: usage.TotalCodeSize ?? 0,
          concurrencyMax: limit.ConcurrentExecutions ?? Number.POSITIVE_INFINITY,
          unreserved: limit.UnreservedConcurrentExecutions ?? Number.POSITIVE_INFINITY,
        };
      }),
    getRole: (arn, signal) =>
      read("getRole", signal, async (options) => {
        const RoleName = arn.slice(arn.lastIndexOf("/") + 1);
        const { Role } = await iam.send(new GetRoleCommand({ RoleName }), options);
        if (Role === undefined) return undefined;
        const trustPolicy = decodeURIComponent(Role.AssumeRolePolicyDocument ?? "");
        return { arn: Role.Arn ?? "", trustPolicy };
      }),
  };
}

function concurrencyOf(
  lambda: LambdaClient,
): Pick<
  Region,
  "getProvisioned" | "putProvisioned" | "deleteProvisioned" | "putReserved" | "deleteReserved"
> {
  return {
    getProvisioned: (FunctionName, Qualifier, signal) =>
      read("getProvisioned", signal, async (options): Promise<ProvisionedFacts> => {
        const facts = await lambda.send(
          new GetProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }),
          options,
        );
        return {
          requested: facts.RequestedProvisionedConcurrentExecutions ?? 0,
          status: facts.Status ?? "IN_PROGRESS",
          reason: facts.StatusReason ?? "",
        };
      }),
    putProvisioned: (FunctionName, Qualifier, ProvisionedConcurrentExecutions, signal) =>
      write("putProvisioned", signal, async () => {
        const about = { FunctionName, Qualifier, ProvisionedConcurrentExecutions };
        await lambda.send(new PutProvisionedConcurrencyConfigCommand(about));
      }),
    deleteProvisioned: (FunctionName, Qualifier, signal) =>
      gone("deleteProvisioned", signal, async () => {
        await lambda.send(new DeleteProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }));
      }),
    putReserved: (FunctionName, ReservedConcurrentExecutions, signal) =>
      write("putReserved", signal, async () => {
        await lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));
      }),
    deleteReserved: (FunctionName, signal) =>
      write("deleteReserved", signal, async () => {
        await lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
      }),
  };
}

function aliasesOf(lambda: LambdaClient): Pick<Region, "getAlias" | "createAlias" | "updateAlias"> {
  return {
    getAlias: (FunctionName, Name, signal) =>
      read("getAlias", signal, async (options) => {
        const facts = await lambda.send(new GetAliasCommand({ FunctionName, Name }), options);
        return { version: facts.FunctionVersion ?? "", revisionId: facts.RevisionId ?? "" };
      }),
    createAlias: (FunctionName, Name, FunctionVersion, signal) =>
      write("createAlias", signal, async () => {
        await lambda.send(new CreateAliasCommand({ FunctionName, Name, FunctionVersion }));
      }),
    updateAlias: (FunctionName, Name, { version, revisionId }, signal) =>
      write("updateAlias", signal, async () => {
        const about = { FunctionName, Name, FunctionVersion: version, RevisionId: revisionId };
        await lambda.send(new UpdateAliasCommand(about));
      }),
  };
}

async function listVersions(
  lambda: LambdaClient,
  FunctionName: string,
  signal: AbortSignal,
): Promise<readonly VersionFacts[]> {
  const versions: VersionFacts[] = [];
  let marker: string | undefined;
  do {
    const about = marker === undefined ? { FunctionName } : { FunctionName, Marker: marker };
    const page = await read("listVersions", signal, (options) =>
      lambda.send(new ListVersionsByFunctionCommand(about), options),
    );
    if (page === undefined) return [];
    for (const each of page.Versions ?? []) if (each.Version !== "$LATEST") versions.push(versionOf(each));
    marker = page.NextMarker === "" ? undefined : page.NextMarker;
  } while (marker !== undefined);
  return versions.toSorted((one, other) => Number(one.version) - Number(other.version));
}

type ReadOptions = { readonly abortSignal: AbortSignal };

/** Undefined: not there. */
async function read<T>(
  operation: OperationName,
  signal: AbortSignal,
  send: (options: ReadOptions) => Promise<T>,
): Promise<T | undefined> {
  signal.throwIfAborted();
  try {
    return await send({ abortSignal: signal });
  } catch (error) {
    signal.throwIfAborted();
    const known = toRegionError(operation, error);
    if (known.kind === "notFound") return undefined;
    throw known;
  }
}

/** Once sent, it is awaited to its end (K3). */
async function write<T>(operation: OperationName, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await send();
  } catch (error) {
    throw toRegionError(operation, error);
  }
}

/** A delete: what is not there is gone. */
async function gone(operation: OperationName, signal: AbortSignal, send: () => Promise<void>): Promise<void> {
  try {
    await write(operation, signal, send);
  } catch (error) {
    if (error instanceof RegionError && error.kind === "notFound") return;
    throw error;
  }
}

const architectureOf = ({ architecture }: FunctionConfig): "arm64" | "x86_64" =>
  architecture === "arm64" ? "arm64" : "x86_64";

/** What CreateFunction and UpdateFunctionConfiguration have in common. */
const settingsOf = ({ memoryMb, timeoutSeconds, environment, role, runtime, handler }: FunctionConfig) => ({
  MemorySize: memoryMb,
  Timeout: timeoutSeconds,
  Environment: { Variables: { ...environment } },
  Role: role,
  Runtime: runtime as Runtime,
  Handler: handler,
});

const configOf = (facts: FunctionConfiguration): FunctionConfig => ({
  memoryMb: facts.MemorySize ?? 128,
  timeoutSeconds: facts.Timeout ?? 3,
  environment: facts.Environment?.Variables ?? {},
  role: facts.Role ?? "",
  architecture: facts.Architectures?.[0] ?? "x86_64",
  runtime: facts.Runtime ?? "",
  handler: facts.Handler ?? "",
});

const versionOf = (facts: FunctionConfiguration): VersionFacts => ({
  version: facts.Version ?? "",
  arn: qualifiedArnOf(facts),
  codeSha256: facts.CodeSha256 ?? "",
  config: configOf(facts),
});

/** AWS tells the ARN of a version with its number; so that nothing depends on it, it is made sure of. */
function qualifiedArnOf({ FunctionArn = "", Version = "" }: FunctionConfiguration): string {
  return FunctionArn.endsWith(`:${Version}`) ? FunctionArn : `${FunctionArn}:${Version}`;
}

function factsOf({ Configuration = {}, Concurrency, Tags }: GetFunctionCommandOutput): FunctionFacts {
  return {
    arn: Configuration.FunctionArn ?? "",
    codeSha256: Configuration.CodeSha256 ?? "",
    config: configOf(Configuration),
    revisionId: Configuration.RevisionId ?? "",
    // Targets that are always ready leave the states out.
    state: stateOf(Configuration.State),
    reason: Configuration.StateReason ?? "",
    lastUpdate: Configuration.LastUpdateStatus ?? "Successful",
    lastUpdateReason: Configuration.LastUpdateStatusReason ?? "",
    tags: Tags ?? {},
    reserved: Concurrency?.ReservedConcurrentExecutions,
  };
}

/** States that there are for other kinds of functions count as what they let be done. */
function stateOf(state: FunctionConfiguration["State"]): FunctionFacts["state"] {
  switch (state) {
    case "Pending":
    case "Inactive":
    case "Failed":
      return state;
    default:
      return "Active";
  }
}
