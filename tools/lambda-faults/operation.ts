// Which call of AWS's API a request is: Lambda's by method and path, IAM's and STS's by the form that is posted.

const PLAIN = [
  ["GET", "account-settings", "GetAccountSettings"],
  ["GET", "tags/*", "ListTags"],
  ["POST", "tags/*", "TagResource"],
  ["DELETE", "tags/*", "UntagResource"],
  ["GET", "functions", "ListFunctions"],
  ["POST", "functions", "CreateFunction"],
  ["GET", "functions/*", "GetFunction"],
  ["DELETE", "functions/*", "DeleteFunction"],
  ["GET", "functions/*/configuration", "GetFunctionConfiguration"],
  ["PUT", "functions/*/configuration", "UpdateFunctionConfiguration"],
  ["PUT", "functions/*/code", "UpdateFunctionCode"],
  ["GET", "functions/*/versions", "ListVersionsByFunction"],
  ["POST", "functions/*/versions", "PublishVersion"],
  ["GET", "functions/*/aliases", "ListAliases"],
  ["POST", "functions/*/aliases", "CreateAlias"],
  ["GET", "functions/*/aliases/*", "GetAlias"],
  ["PUT", "functions/*/aliases/*", "UpdateAlias"],
  ["DELETE", "functions/*/aliases/*", "DeleteAlias"],
  ["GET", "functions/*/concurrency", "GetFunctionConcurrency"],
  ["PUT", "functions/*/concurrency", "PutFunctionConcurrency"],
  ["DELETE", "functions/*/concurrency", "DeleteFunctionConcurrency"],
  ["GET", "functions/*/provisioned-concurrency", "GetProvisionedConcurrencyConfig"],
  ["PUT", "functions/*/provisioned-concurrency", "PutProvisionedConcurrencyConfig"],
  ["DELETE", "functions/*/provisioned-concurrency", "DeleteProvisionedConcurrencyConfig"],
  ["GET", "functions/*/policy", "GetPolicy"],
  ["POST", "functions/*/policy", "AddPermission"],
  ["DELETE", "functions/*/policy/*", "RemovePermission"],
  ["POST", "functions/*/invocations", "Invoke"],
  ["POST", "functions/*/response-streaming-invocations", "InvokeWithResponseStream"],
] as const;

const ACTIONS = [
  "GetRole",
  "CreateRole",
  "DeleteRole",
  "UpdateAssumeRolePolicy",
  "SimulatePrincipalPolicy",
  "GetCallerIdentity",
  "AssumeRole",
] as const;

/** `Unknown` is a call that this list lacks; its method, path and body are in the log. */
export type LambdaOperation =
  (typeof PLAIN)[number][2] | (typeof ACTIONS)[number] | "ListProvisionedConcurrencyConfigs" | "Unknown";

const byPattern: ReadonlyMap<string, LambdaOperation> = new Map(
  PLAIN.map(([method, pattern, operation]) => [`${method} ${pattern}`, operation]),
);

/** All there are. */
export const lambdaOperations: readonly LambdaOperation[] = [
  ...PLAIN.map(([, , operation]) => operation),
  ...ACTIONS,
  "ListProvisionedConcurrencyConfigs",
  "Unknown",
];

export type Named = {
  readonly operation: LambdaOperation;
  /** Empty where the call is of no function. */
  readonly functionName: string;
  /** A version's number, an alias's name, `$LATEST`; undefined where none is given. */
  readonly qualifier: string | undefined;
};

/** `name`, `name:7`, `123456789012:function:name`, `arn:aws:lambda:r:123456789012:function:name:7`. */
function splitName(given: string): { functionName: string; qualifier: string | undefined } {
  const marker = "function:";
  const at = given.indexOf(marker);
  const [functionName = "", qualifier] = given.slice(at === -1 ? 0 : at + marker.length).split(":");
  return { functionName, qualifier };
}

/** `/2015-03-31/functions/NAME/aliases/live` → `functions`, `NAME`, `aliases`, `live`. */
function segmentsOf(path: string): string[] {
  const [, first = "", ...rest] = path.replace(/\/+$/, "").split("/");
  return (/^\d{4}-\d{2}-\d{2}$/.test(first) ? rest : [first, ...rest]).map(decodeURIComponent);
}

export type Requested = { readonly method: string; readonly path: string; readonly body: unknown };

/** `path` with its query; `body` parsed: an object of JSON, or of the fields of a form. */
export function nameOf({ method, path, body }: Requested): Named {
  const { pathname, searchParams } = new URL(path, "http://any");
  const [kind = "", second, third, fourth] = segmentsOf(pathname);
  const field = (name: string): string | undefined => {
    const value = (body as Readonly<Record<string, unknown>> | undefined)?.[name];
    return typeof value === "string" ? value : undefined;
  };
  if (kind === "") {
    const operation = ACTIONS.find((action) => action === field("Action")) ?? "Unknown";
    return { operation, functionName: "", qualifier: undefined };
  }
  // A tag's resource is an ARN, which has no slash for a function; aliases and statements have a name behind them.
  const pattern = [kind, second && "*", third, fourth && "*"].filter(Boolean).join("/");
  let operation = byPattern.get(`${method} ${pattern}`) ?? "Unknown";
  if (operation === "GetProvisionedConcurrencyConfig" && searchParams.has("List"))
    operation = "ListProvisionedConcurrencyConfigs";
  const { functionName, qualifier } = splitName(second ?? field("FunctionName") ?? "");
  return { operation, functionName, qualifier: searchParams.get("Qualifier") ?? qualifier };
}
