/** What AWS is told once every lane has crossed: the alias for people, and concurrency as the epoch says it. */
import type { LambdaContent } from "@greco/domain/epoch";
import { functionName, tagsMatch, type Owner } from "./function-name.ts";
import type { Workshop } from "./make-function.ts";
import { awaited } from "./quiet.ts";
import type { FunctionFacts } from "./region.ts";
import { addressOf } from "./version-address.ts";

export const LIVE_ALIAS = "live";

export type Applying = {
  readonly lambda: LambdaContent;
  /** Whether nobody in a lane calls another version, and no proposal has intended one: concurrency is set, too. */
  readonly setsConcurrency: boolean;
};

/** Rejects where AWS does not take it, or what is needed is not there; the next look begins from what is there. */
export async function applyVersion(
  workshop: Workshop,
  owner: Owner,
  { lambda, setsConcurrency }: Applying,
  signal: AbortSignal,
): Promise<void> {
  const { region } = workshop;
  const name = functionName(owner);
  const facts = await ours(workshop, owner, signal);
  // What these mean is for `greco drift` to say.
  if (facts === undefined) throw new Error(`there is no ${name} of ours`);
  const versions = await region.listVersions(name, signal);
  const version = addressOf(lambda, versions);
  if (version === undefined) throw new Error(`no version of ${name} has the content that is in force`);
  await setAlias(workshop, name, version, signal);
  if (!setsConcurrency) return;
  for (const other of versions)
    if (other.version !== version)
      await awaited(workshop, () => region.deleteProvisioned(name, other.version, signal));
  await setConcurrency(workshop, name, { lambda, version, reserved: facts.reserved }, signal);
}

/** `lambda`: as the last epoch names it that has it. What is warm costs, and what is reserved others lack. */
export async function letRest(
  workshop: Workshop,
  owner: Owner,
  lambda: LambdaContent,
  signal: AbortSignal,
): Promise<void> {
  const { region } = workshop;
  const name = functionName(owner);
  const facts = await ours(workshop, owner, signal);
  if (facts === undefined) return;
  const versions = await region.listVersions(name, signal);
  const last = addressOf(lambda, versions);
  // An alias keeps AWS from deleting its version: older ones go before the last.
  if (last !== undefined) await setAlias(workshop, name, last, signal);
  for (const { version } of versions)
    await awaited(workshop, () => region.deleteProvisioned(name, version, signal));
  if (facts.reserved !== undefined) await awaited(workshop, () => region.deleteReserved(name, signal));
}

/** G2. Undefined: not there, or not ours. */
async function ours(
  { region }: Workshop,
  owner: Owner,
  signal: AbortSignal,
): Promise<FunctionFacts | undefined> {
  const facts = await region.getFunction(functionName(owner), undefined, signal);
  return facts !== undefined && tagsMatch(owner, facts.tags) ? facts : undefined;
}

/** Undefined: the account's pool, which is more than any number. */
const isMore = (one: number | undefined, other: number | undefined): boolean =>
  (one ?? Number.POSITIVE_INFINITY) > (other ?? Number.POSITIVE_INFINITY);

export async function setAlias(
  workshop: Workshop,
  name: string,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const { region, log } = workshop;
  const seen = await region.getAlias(name, LIVE_ALIAS, signal);
  if (seen?.version === version) return;
  await awaited(workshop, () =>
    seen === undefined
      ? region.createAlias(name, LIVE_ALIAS, version, signal)
      : region.updateAlias(name, LIVE_ALIAS, { version, revisionId: seen.revisionId }, signal),
  );
  log.info("lambda.live", { function: name, version });
}

export type Concurrency = {
  readonly lambda: LambdaContent;
  /** The one whose environments are kept warm. */
  readonly version: string;
  /** What is reserved now. */
  readonly reserved: number | undefined;
};

/** What is warm is a part of what is reserved: more is reserved before, less behind it. */
export async function setConcurrency(
  workshop: Workshop,
  name: string,
  { lambda, version, reserved }: Concurrency,
  signal: AbortSignal,
): Promise<void> {
  const { reservedConcurrency: wanted, provisionedConcurrency: warm } = lambda;
  const raises = isMore(wanted, reserved);
  if (raises) await setReserved(workshop, name, wanted, signal);
  await setProvisioned(workshop, name, version, warm, signal);
  if (!raises && wanted !== reserved) await setReserved(workshop, name, wanted, signal);
}

/** Undefined: the account's pool. */
async function setReserved(
  workshop: Workshop,
  name: string,
  count: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { region, log } = workshop;
  await awaited(workshop, () =>
    count === undefined ? region.deleteReserved(name, signal) : region.putReserved(name, count, signal),
  );
  log.info("lambda.concurrency-set", { function: name, reserved: count });
}

/** Undefined: none are kept warm. */
async function setProvisioned(
  workshop: Workshop,
  name: string,
  version: string,
  count: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { region } = workshop;
  const seen = await region.getProvisioned(name, version, signal);
  if (count === undefined) {
    if (seen !== undefined) await awaited(workshop, () => region.deleteProvisioned(name, version, signal));
  } else if (seen?.requested !== count || seen.status === "FAILED")
    await awaited(workshop, () => region.putProvisioned(name, version, count, signal));
}
