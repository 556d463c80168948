/**
 * Whether the conductor's credentials are good, and what it is not allowed: each operation is tried on a function that
 * is not there, where it can do nothing but be refused. `CreateFunction` alone cannot be tried without making one.
 *
 * D1. Looking changes nothing: where it cannot be seen that the function is not there, nothing else is tried on it.
 */
import type { Drift } from "@greco/conductor-kit";
import type { Workshop } from "./make-function.ts";
import { OPERATIONS, type OperationName } from "./operations.ts";
import { persist } from "./persist.ts";
import { RegionError } from "./region.ts";
import type { Wishes } from "./wanted.ts";

/** No query has this name: its last ten digits would be a hash. */
const absent = (prefix: string): string => `${prefix}-doctor-tries-what-is-not-there`;

type Try = readonly [OperationName, (name: string, signal: AbortSignal) => Promise<unknown>];

function triesOf({ region }: Workshop, { defaultRole, packaging }: Wishes): readonly Try[] {
  const { runtime, handler } = packaging;
  const role = defaultRole ?? "";
  const settings = { memoryMb: 128, timeoutSeconds: 3, environment: {}, role, architecture: "x86_64" };
  const config = { ...settings, runtime, handler };
  const revisionId = "none";
  return [
    ["listVersions", (name, signal) => region.listVersions(name, signal)],
    [
      "updateConfiguration",
      (name, signal) => region.updateConfiguration({ name, config, revisionId }, signal),
    ],
    [
      "updateCode",
      (name, signal) =>
        region.updateCode({ name, zip: new Uint8Array([0]), architecture: "x86_64", revisionId }, signal),
    ],
    [
      "publishVersion",
      (name, signal) =>
        region.publishVersion({ name, codeSha256: "none", revisionId, description: "" }, signal),
    ],
    ["deleteFunction", (name, signal) => region.deleteFunction(name, "1", signal)],
    ["getProvisioned", (name, signal) => region.getProvisioned(name, "1", signal)],
    ["putProvisioned", (name, signal) => region.putProvisioned(name, "1", 1, signal)],
    ["deleteProvisioned", (name, signal) => region.deleteProvisioned(name, "1", signal)],
    ["putReserved", (name, signal) => region.putReserved(name, 1, signal)],
    ["deleteReserved", (name, signal) => region.deleteReserved(name, signal)],
    ["getAlias", (name, signal) => region.getAlias(name, "live", signal)],
    ["createAlias", (name, signal) => region.createAlias(name, "live", "1", signal)],
    ["updateAlias", (name, signal) => region.updateAlias(name, "live", { version: "1", revisionId }, signal)],
    ["getAccount", (_name, signal) => region.getAccount(signal)],
    // Whatever role: one that is not there is an answer, too.
    [
      "getRole",
      (name, signal) => region.getRole(defaultRole ?? `arn:aws:iam::000000000000:role/${name}`, signal),
    ],
  ];
}

export async function checkAccess(
  workshop: Workshop,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<readonly Drift[]> {
  const name = absent(wishes.prefix);
  const tried = async (attempt: () => Promise<unknown>): Promise<unknown> => {
    const result = await orError(() => persist(workshop, attempt, signal));
    signal.throwIfAborted();
    return result;
  };
  const found = await tried(() => workshop.region.getFunction(name, undefined, signal));
  if (found instanceof RegionError)
    return [deniedDrift("getFunction", `${found.message}; nothing else was tried`)];
  if (found !== undefined) return [takenDrift(name)];
  const drifts: Drift[] = [];
  for (const [operation, attempt] of triesOf(workshop, wishes)) {
    const refused = await tried(() => attempt(name, signal));
    // Any other refusal says that it was allowed to ask.
    if (refused instanceof RegionError && refused.kind === "denied")
      drifts.push(deniedDrift(operation, refused.message));
  }
  return drifts;
}

const deniedDrift = (operation: OperationName, message: string): Drift => ({
  entity: "",
  object: OPERATIONS[operation].actions[0] ?? operation,
  reason: "ACCESS_DENIED",
  message,
  remedy: "give the conductor what deploy/aws/policy.json lists, and see that its credentials are valid",
});

const takenDrift = (name: string): Drift => ({
  entity: "",
  object: `function ${name}`,
  reason: "PROBE_NAME_TAKEN",
  message: "permissions are tried on a function that is not there, and it is there; nothing else was tried",
  remedy: "delete that function, or give the conductor another --function-prefix",
});

async function orError<T>(attempt: () => Promise<T>): Promise<T | RegionError> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof RegionError) return error;
    throw error;
  }
}
