/** What AWS is told once every lane has crossed: the alias for people, and concurrency as the epoch says it. */
import type { LambdaContent } from "@greco/domain/epoch";
import { functionName, tagsMatch, type Owner } from "./function-name.ts";
import type { Workshop } from "./make-function.ts";

export const LIVE_ALIAS = "live";

export type Applying = {
  readonly lambda: LambdaContent;
  readonly version: string;
  /** Superseded versions that may be kept warm. */
  readonly former: readonly string[];
  /** Whether concurrency may be taken back. */
  readonly lowers: boolean;
};

/** "held": something was left, since it may not be lowered yet. */
export type Applied = "done" | "held";

/** A `RegionError` where AWS does not take it; the next look begins from what is there. */
export async function applyVersion(
  workshop: Workshop,
  owner: Owner,
  { lambda, version, former, lowers }: Applying,
  signal: AbortSignal,
): Promise<Applied> {
  const { region, log } = workshop;
  const name = functionName(owner);
  const facts = await region.getFunction(name, undefined, signal);
  if (facts === undefined || !tagsMatch(owner, facts.tags)) {
    // G2. What it means is for `greco drift` to say.
    log.warn("lambda.not-ours", { function: name, there: facts !== undefined });
    return "done";
  }
  await setAlias(workshop, name, version, signal);
  const { reservedConcurrency: reserved, provisionedConcurrency: provisioned } = lambda;
  if (facts.reserved !== reserved) {
    if (!isMore(reserved, facts.reserved) && !lowers) return "held";
    await setReserved(workshop, name, reserved, signal);
    log.info("lambda.concurrency-set", { function: name, from: facts.reserved, to: reserved });
  }
  if (!lowers) return former.length === 0 && provisioned === undefined ? "done" : "held";
  // Nobody in a lane calls them any more, and warm environments cost.
  for (const old of former) await region.deleteProvisioned(name, old, signal);
  if (provisioned !== undefined) await setProvisioned(workshop, name, version, provisioned, signal);
  return "done";
}

/** Undefined: the account's pool, which is more than any number. */
const isMore = (one: number | undefined, other: number | undefined): boolean =>
  (one ?? Number.POSITIVE_INFINITY) > (other ?? Number.POSITIVE_INFINITY);

/** As `prepare` does it before the marker; nothing where it is as much already. */
export async function raiseReserved(
  workshop: Workshop,
  owner: Owner,
  { reservedConcurrency: wanted }: LambdaContent,
  signal: AbortSignal,
): Promise<void> {
  const name = functionName(owner);
  const facts = await workshop.region.getFunction(name, undefined, signal);
  if (facts === undefined || !tagsMatch(owner, facts.tags) || !isMore(wanted, facts.reserved)) return;
  await setReserved(workshop, name, wanted, signal);
}

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

export async function setProvisioned(
  { region }: Workshop,
  name: string,
  version: string,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const seen = await region.getProvisioned(name, version, signal);
  if (seen?.requested === count) return;
  await region.putProvisioned(name, version, count, signal);
}
