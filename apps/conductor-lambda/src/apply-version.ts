/** What AWS is told once every lane has crossed: the alias for people, and concurrency as the epoch says it. */
import type { LambdaContent } from "@greco/domain/epoch";
import { functionName, tagsMatch, type Owner } from "./function-name.ts";
import type { Workshop } from "./make-function.ts";
import type { FunctionFacts } from "./region.ts";
import { addressOf } from "./version-address.ts";

export const LIVE_ALIAS = "live";

export type Applying = {
  readonly lambda: LambdaContent;
  /** Whether concurrency may be taken back: nobody in a lane calls another version, and no proposal has intended one. */
  readonly lowers: boolean;
};

/** A `RegionError` where AWS does not take it; the next look begins from what is there. */
export async function applyVersion(
  workshop: Workshop,
  owner: Owner,
  { lambda, lowers }: Applying,
  signal: AbortSignal,
): Promise<void> {
  const { region, log } = workshop;
  const name = functionName(owner);
  const facts = await ours(workshop, owner, signal);
  if (facts === undefined) return;
  const versions = await region.listVersions(name, signal);
  const version = addressOf(lambda, versions);
  // What that means is for `greco drift` to say.
  if (version === undefined) return log.warn("lambda.version-missing", { function: name });
  await setAlias(workshop, name, version, signal);
  const { reservedConcurrency: reserved } = lambda;
  if (facts.reserved !== reserved && (lowers || isMore(reserved, facts.reserved))) {
    await setReserved(workshop, name, reserved, signal);
    log.info("lambda.concurrency-set", { function: name, from: facts.reserved, to: reserved });
  }
  if (!lowers) return;
  for (const other of versions)
    if (other.version !== version) await region.deleteProvisioned(name, other.version, signal);
  await setProvisioned(workshop, name, version, lambda.provisionedConcurrency, signal);
}

/** Nobody in a lane calls it any more; what is warm costs, and what is reserved others lack. */
export async function letRest(workshop: Workshop, owner: Owner, signal: AbortSignal): Promise<void> {
  const { region } = workshop;
  const name = functionName(owner);
  const facts = await ours(workshop, owner, signal);
  if (facts === undefined) return;
  for (const { version } of await region.listVersions(name, signal))
    await region.deleteProvisioned(name, version, signal);
  if (facts.reserved !== undefined) await region.deleteReserved(name, signal);
}

/** G2. Undefined: not there, or not ours, which is for `greco drift` to say. */
async function ours(
  { region, log }: Workshop,
  owner: Owner,
  signal: AbortSignal,
): Promise<FunctionFacts | undefined> {
  const name = functionName(owner);
  const facts = await region.getFunction(name, undefined, signal);
  if (facts !== undefined && tagsMatch(owner, facts.tags)) return facts;
  log.warn("lambda.not-ours", { function: name, there: facts !== undefined });
  return undefined;
}

/** Undefined: the account's pool, which is more than any number. */
const isMore = (one: number | undefined, other: number | undefined): boolean =>
  (one ?? Number.POSITIVE_INFINITY) > (other ?? Number.POSITIVE_INFINITY);

export async function setAlias(
  { region, log }: Workshop,
  name: string,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const seen = await region.getAlias(name, LIVE_ALIAS, signal);
  if (seen?.version === version) return;
  if (seen === undefined) await region.createAlias(name, LIVE_ALIAS, version, signal);
  else await region.updateAlias(name, LIVE_ALIAS, { version, revisionId: seen.revisionId }, signal);
  log.info("lambda.live", { function: name, version });
}

export async function setReserved(
  { region }: Workshop,
  name: string,
  count: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (count === undefined) await region.deleteReserved(name, signal);
  else await region.putReserved(name, count, signal);
}

/** Undefined: none are kept warm. */
export async function setProvisioned(
  { region }: Workshop,
  name: string,
  version: string,
  count: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const seen = await region.getProvisioned(name, version, signal);
  if (count === undefined) {
    if (seen !== undefined) await region.deleteProvisioned(name, version, signal);
  } else if (seen?.requested !== count || seen.status === "FAILED")
    await region.putProvisioned(name, version, count, signal);
}
