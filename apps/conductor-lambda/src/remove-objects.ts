/**
 * What an undo or a retire hands over, gone. What is not tagged as ours stays, whatever its name says.
 *
 * R1 (K3). A delete without an answer gets its quiet time before anybody goes on: it would meet a function that is made
 * again under its name. A create that was answered may not be seen for a moment: what is not there is looked for twice.
 */
import type { ModelId } from "@greco/domain/model";
import { contentHashOf } from "./function-config.ts";
import { ownerOf, parseObject } from "./function-name.ts";
import type { Workshop } from "./make-function.ts";
import { awaited } from "./quiet.ts";
import type { VersionFacts } from "./region.ts";
import { sideBySide } from "./turns.ts";

export type Mine = { readonly prefix: string; readonly model: ModelId };

type OfFunction = { whole: boolean; readonly hashes: Set<string> };

/** Rejects when it could not; whoever calls repeats it. */
export async function removeObjects(
  workshop: Workshop,
  mine: Mine,
  objects: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const functions = new Map<string, OfFunction>();
  for (const object of objects) {
    const parsed = parseObject(object);
    const known = functions.get(parsed.name) ?? { whole: false, hashes: new Set() };
    functions.set(parsed.name, known);
    if (parsed.type === "function") known.whole = true;
    else known.hashes.add(parsed.contentHash);
  }
  const { functionsAtOnce } = workshop.limits;
  const work = ([name, what]: [string, OfFunction], over: AbortSignal): Promise<void> =>
    removeOf(workshop, mine, name, what, over);
  await sideBySide([...functions], functionsAtOnce, work, signal);
}

async function removeOf(
  workshop: Workshop,
  mine: Mine,
  name: string,
  { whole, hashes }: OfFunction,
  signal: AbortSignal,
): Promise<void> {
  const { region, log } = workshop;
  const look = (): ReturnType<typeof region.getFunction> => region.getFunction(name, undefined, signal);
  const facts = (await look()) ?? (await again(workshop, look, signal));
  if (facts === undefined) return;
  if (ownerOf(name, facts.tags, mine) === undefined) {
    log.warn("lambda.not-ours", { function: name, tags: facts.tags });
    return;
  }
  if (whole) {
    await awaited(workshop, () => region.deleteFunction(name, undefined, signal));
    log.info("lambda.function-deleted", { function: name });
    return;
  }
  const list = async (): Promise<readonly VersionFacts[] | undefined> => {
    const versions = await region.listVersions(name, signal);
    const matches = versions.filter((each) => hashes.has(contentHashOf(each.codeSha256, each.config)));
    return matches.length === 0 ? undefined : matches;
  };
  const versions = (await list()) ?? (await again(workshop, list, signal)) ?? [];
  for (const { version } of versions) {
    await awaited(workshop, () => region.deleteProvisioned(name, version, signal));
    await awaited(workshop, () => region.deleteFunction(name, version, signal));
    log.info("lambda.version-deleted", { function: name, version });
  }
}

async function again<T>(
  { clock, limits }: Workshop,
  look: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  await clock.sleep(limits.visibleMs, signal);
  return look();
}
