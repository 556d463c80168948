// What AWS does and the targets do not (README.md has the table), each switched on by name. It answers instead of the
// target, or looks at the target before the call goes there; between look and call another caller may come, as nobody
// keeps them apart but who calls: one writer a function.
import { errorAnswer, jsonAnswer } from "./answers.ts";
import type { Answer, Call } from "./call.ts";

export type AccountSettings = {
  readonly AccountLimit: Readonly<Record<string, number>>;
  readonly AccountUsage: Readonly<Record<string, number>>;
};

/** AWS's defaults, of an account with nothing in it. */
export const emptyAccount: AccountSettings = {
  AccountLimit: {
    TotalCodeSize: 80_530_636_800,
    CodeSizeUnzipped: 262_144_000,
    CodeSizeZipped: 52_428_800,
    ConcurrentExecutions: 1_000,
    UnreservedConcurrentExecutions: 1_000,
  },
  AccountUsage: { TotalCodeSize: 0, FunctionCount: 0 },
};

export type Emulate = {
  /** Answered as it is: to have little room left, or where the target has none (moto). */
  readonly accountSettings?: AccountSettings;
  /**
   * PublishVersion refuses a CodeSha256 (400) and a RevisionId (412) that are not $LATEST's, and answers the newest
   * version where $LATEST has the same code and configuration, however it came by them.
   */
  readonly publish?: boolean;
  /** 409 for an update or a publish while the last one is under way, and for an Invoke of a version that is. */
  readonly busy?: boolean;
  /** Of versions and aliases, kept here; IN_PROGRESS in the answer to the write, READY when it is read (moto has none). */
  readonly provisioned?: boolean;
};

export type Target = {
  /** A call of the proxy's own: of a body in JSON, answered as the target does. */
  ask(method: string, path: string): Promise<Answer>;
  /** Whether a fault shows it under way. */
  isUnderWay(functionName: string, qualifier: string | undefined): boolean;
};

export type Emulation = {
  /** Undefined: the target is to answer. `body` is the request's, parsed. */
  answer(call: Call, body: unknown, target: Target): Promise<Answer | undefined>;
};

type Configuration = Readonly<Record<string, unknown>>;
const read = (answer: Answer): Configuration => JSON.parse(answer.body.toString("utf8")) as Configuration;

const pathOf = (functionName: string): string => `/2015-03-31/functions/${encodeURIComponent(functionName)}`;

/** What makes a version another one. Its description does not: AWS keeps the first. */
const CONTENT = [
  ...["CodeSha256", "Runtime", "Role", "Handler", "Timeout", "MemorySize", "Environment", "Layers"],
  ...["Architectures", "EphemeralStorage", "TracingConfig", "VpcConfig", "KMSKeyArn", "LoggingConfig"],
] as const;
const contentOf = (configuration: Configuration): string =>
  JSON.stringify(CONTENT.map((field) => configuration[field] ?? null));

const conflict = (functionName: string, why: string): Answer =>
  errorAnswer({
    status: 409,
    code: "ResourceConflictException",
    message: `The operation cannot be performed at this time. ${why}: ${functionName}`,
  });

const BUSY_FOR = new Set(["UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"]);

async function whetherBusy(call: Call, target: Target): Promise<Answer | undefined> {
  const { operation, functionName, qualifier } = call;
  if (operation === "Invoke")
    return target.isUnderWay(functionName, qualifier)
      ? conflict(functionName, "The function is currently in the following state: Pending")
      : undefined;
  if (!BUSY_FOR.has(operation)) return undefined;
  const answer = await target.ask("GET", `${pathOf(functionName)}/configuration`);
  if (answer.status !== 200) return undefined;
  const { State: state, LastUpdateStatus: update } = read(answer);
  if (!target.isUnderWay(functionName, undefined) && state !== "Pending" && update !== "InProgress")
    return undefined;
  return conflict(functionName, "An update is in progress for resource");
}

async function whetherPublished(call: Call, body: unknown, target: Target): Promise<Answer | undefined> {
  if (call.operation !== "PublishVersion") return undefined;
  const path = pathOf(call.functionName);
  const now = await target.ask("GET", `${path}/configuration`);
  if (now.status !== 200) return undefined;
  const latest = read(now);
  const { CodeSha256: code, RevisionId: revision } = (body ?? {}) as {
    readonly CodeSha256?: string;
    readonly RevisionId?: string;
  };
  if (code !== undefined && code !== latest["CodeSha256"])
    return errorAnswer({
      status: 400,
      code: "InvalidParameterValueException",
      message: `CodeSHA256 (${code}) is different from current CodeSHA256 in $LATEST (${String(latest["CodeSha256"])}). Please try again with the CodeSHA256 in $LATEST.`,
    });
  if (revision !== undefined && latest["RevisionId"] !== undefined && revision !== latest["RevisionId"])
    return errorAnswer({
      status: 412,
      code: "PreconditionFailedException",
      message:
        "The RevisionId provided does not match the latest RevisionId. Call the GetFunction API to retrieve it.",
    });
  const versions = await versionsOf(path, target);
  const newest = versions.filter(({ Version }) => Version !== "$LATEST").at(-1);
  if (newest === undefined || contentOf(newest) !== contentOf(latest)) return undefined;
  return jsonAnswer(201, newest);
}

async function versionsOf(path: string, target: Target): Promise<Configuration[]> {
  const versions: Configuration[] = [];
  let marker = "";
  do {
    const page = read(await target.ask("GET", `${path}/versions?MaxItems=50${marker}`));
    versions.push(...(page["Versions"] as Configuration[]));
    const next = page["NextMarker"];
    marker = typeof next === "string" && next !== "" ? `&Marker=${encodeURIComponent(next)}` : "";
  } while (marker !== "");
  return versions;
}

/** Of `name/qualifier`: how many. */
function provisionedConcurrency(): (call: Call, body: unknown) => Answer | undefined {
  const asked = new Map<string, { readonly count: number; readonly since: string }>();
  return (call, body) => {
    const { operation, functionName, qualifier } = call;
    const key = `${functionName}/${qualifier ?? ""}`;
    if (operation === "PutProvisionedConcurrencyConfig") {
      const count = Number((body as Configuration | undefined)?.["ProvisionedConcurrentExecutions"]);
      if (qualifier === undefined || qualifier === "$LATEST")
        return errorAnswer({
          status: 400,
          code: "InvalidParameterValueException",
          message: "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        });
      asked.set(key, { count, since: new Date().toISOString() });
      return jsonAnswer(202, shownAs("IN_PROGRESS", asked.get(key)));
    }
    const found = asked.get(key);
    if (operation === "DeleteProvisionedConcurrencyConfig") {
      asked.delete(key);
      return { status: 204, headers: {}, body: Buffer.alloc(0) };
    }
    if (operation !== "GetProvisionedConcurrencyConfig") return undefined;
    if (found !== undefined) return jsonAnswer(200, shownAs("READY", found));
    return errorAnswer({
      status: 404,
      code: "ProvisionedConcurrencyConfigNotFoundException",
      message: `No Provisioned Concurrency Config found for function: ${functionName}`,
    });
  };
}

function shownAs(status: string, asked: { count: number; since: string } | undefined): object {
  const there = status === "READY" ? asked?.count : 0;
  return {
    RequestedProvisionedConcurrentExecutions: asked?.count,
    AllocatedProvisionedConcurrentExecutions: there,
    AvailableProvisionedConcurrentExecutions: there,
    Status: status,
    LastModified: asked?.since,
  };
}

export function createEmulation(emulate: Emulate): Emulation {
  const provisioned = emulate.provisioned === true ? provisionedConcurrency() : () => undefined;
  return {
    async answer(call, body, target) {
      if (call.operation === "GetAccountSettings" && emulate.accountSettings !== undefined)
        return jsonAnswer(200, emulate.accountSettings);
      const refused = emulate.busy === true ? await whetherBusy(call, target) : undefined;
      if (refused !== undefined) return refused;
      const published = emulate.publish === true ? await whetherPublished(call, body, target) : undefined;
      return published ?? provisioned(call, body);
    },
  };
}
