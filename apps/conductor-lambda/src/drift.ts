/**
 * What AWS has beside what the epoch says, and putting it back (`greco drift`, `greco repair`).
 *
 * D1. Looking changes nothing. D2. What is not tagged as ours is told, and never touched.
 */
import type { Drift, InForce } from "@greco/conductor-kit";
import { configHashOf, type LambdaContent, type QueryContent } from "@greco/domain/epoch";
import { parseEntityIdentity, type EntityIdentity, type EntityKey, type ModelId } from "@greco/domain/model";
import { LIVE_ALIAS, setAlias, setProvisioned, setReserved } from "./apply-version.ts";
import type { LiveView } from "./conductor.ts";
import { contentHashOf } from "./function-config.ts";
import { functionName, parseQualifiedArn, tagsMatch, type Owner } from "./function-name.ts";
import { makeFunction, makeLatest, type Workshop } from "./make-function.ts";
import { persist } from "./persist.ts";
import type { FunctionFacts, VersionFacts } from "./region.ts";
import { sideBySide, type Turns } from "./turns.ts";
import { wantedOf, type WantedFunction, type Wishes } from "./wanted.ts";

export type DriftParts = {
  readonly workshop: Workshop;
  readonly wishes: Wishes;
  readonly turns: Turns;
  readonly live: LiveView;
};

type Bound = {
  readonly key: EntityKey;
  readonly entity: EntityIdentity;
  readonly owner: Owner;
  readonly name: string;
  readonly lambda: LambdaContent;
  readonly version: string;
};

type Reason =
  | "FUNCTION_MISSING"
  | "FOREIGN_TAGS"
  | "VERSION_MISSING"
  | "LATEST_CHANGED"
  | "ALIAS_ELSEWHERE"
  | "CONCURRENCY_DIFFERS";

type Found = { readonly reason: Reason; readonly message: string };

const REMEDIES: Readonly<Record<Reason, string>> = {
  FUNCTION_MISSING: "greco repair makes it again from the model, as long as the code is the same",
  FOREIGN_TAGS: "find out who changed the tags, and set them back; nothing of it is touched until then",
  VERSION_MISSING: "greco repair publishes it again; runtimes find it by its content",
  LATEST_CHANGED: "greco repair sets it back; nothing in a lane calls it",
  ALIAS_ELSEWHERE: "greco repair sets it back; nothing in a lane calls it",
  CONCURRENCY_DIFFERS: "greco repair sets it back",
};

export class Drifts {
  readonly #parts: DriftParts;

  constructor(parts: DriftParts) {
    this.#parts = parts;
  }

  /** D1. */
  inspect(inForce: InForce, signal: AbortSignal): Promise<readonly Drift[]> {
    return this.#each(inForce, signal, async (bound, over) =>
      (await this.#look(bound, over)).map((found) => driftOf(bound, found)),
    );
  }

  mend(inForce: InForce, signal: AbortSignal): Promise<readonly Drift[]> {
    return this.#each(inForce, signal, (bound, over) =>
      this.#parts.turns.take(bound.name, async () => {
        const all = await this.#look(bound, over);
        const told: Drift[] = [];
        for (const found of all) told.push(await this.#mendOne(inForce, bound, found, over));
        return told;
      }),
    );
  }

  async #each(
    { model, bindings }: InForce,
    signal: AbortSignal,
    work: (bound: Bound, over: AbortSignal) => Promise<readonly Drift[]>,
  ): Promise<readonly Drift[]> {
    const { workshop, wishes } = this.#parts;
    const all = bindings.flatMap((each) => boundOf(each, model, wishes.prefix));
    const found = await sideBySide(all, workshop.limits.functionsAtOnce, work, signal);
    return found.flat();
  }

  async #look(bound: Bound, signal: AbortSignal): Promise<readonly Found[]> {
    const { workshop, live } = this.#parts;
    const { region } = workshop;
    const { name, owner, version, lambda } = bound;
    const read = <T>(look: () => Promise<T>): Promise<T> => persist(workshop, look, signal);
    const latest = await read(() => region.getFunction(name, undefined, signal));
    if (latest === undefined)
      return [{ reason: "FUNCTION_MISSING", message: `there is no function ${name}` }];
    if (!tagsMatch(owner, latest.tags))
      return [{ reason: "FOREIGN_TAGS", message: `the tags of ${name} do not say that it is ours` }];
    const versions = await read(() => region.listVersions(name, signal));
    const found: Found[] = [];
    const same = versions.filter((each) => isContent(lambda, each));
    if (same.length === 0)
      found.push({
        reason: "VERSION_MISSING",
        message: `version ${version} is not there, nor another one with its content`,
      });
    if (!isKnown(latest, versions))
      found.push({
        reason: "LATEST_CHANGED",
        message: "$LATEST is like none of the versions: somebody edited it, or a candidate was aborted",
      });
    // Before that, another alias and more concurrency are as they should be.
    if (same.length > 0 && live.isSettled(owner.model, bound.entity)) {
      const address = same.find((each) => each.version === version)?.version ?? same.at(-1)?.version;
      const alias = await read(() => region.getAlias(name, LIVE_ALIAS, signal));
      if (alias?.version !== address)
        found.push({
          reason: "ALIAS_ELSEWHERE",
          message: `alias ${LIVE_ALIAS} is ${alias === undefined ? "not there" : `at version ${alias.version}`}, and version ${address} is in force`,
        });
      found.push(...(await this.#concurrency(bound, latest, address ?? version, signal)));
    }
    return found;
  }

  async #concurrency(
    { name, lambda }: Bound,
    latest: FunctionFacts,
    version: string,
    signal: AbortSignal,
  ): Promise<readonly Found[]> {
    const { workshop } = this.#parts;
    const { reservedConcurrency: reserved, provisionedConcurrency: wanted } = lambda;
    const found: Found[] = [];
    const say = (what: string, seen: number | undefined, right: number | undefined): void => {
      const message = `${what} concurrency is ${seen ?? "not set"}, and is to be ${right ?? "not set"}`;
      found.push({ reason: "CONCURRENCY_DIFFERS", message });
    };
    if (latest.reserved !== reserved) say("reserved", latest.reserved, reserved);
    if (wanted === undefined) return found;
    const look = (): ReturnType<Workshop["region"]["getProvisioned"]> =>
      workshop.region.getProvisioned(name, version, signal);
    const seen = await persist(workshop, look, signal);
    if (seen?.requested !== wanted) say("provisioned", seen?.requested, wanted);
    return found;
  }

  async #mendOne(inForce: InForce, bound: Bound, found: Found, signal: AbortSignal): Promise<Drift> {
    const { log } = this.#parts.workshop;
    try {
      const told = await this.#putBack(inForce, bound, found.reason, signal);
      log.info("lambda.mended", { function: bound.name, reason: found.reason, told });
      const message = told === "" ? found.message : `${found.message}; ${told}`;
      return { ...driftOf(bound, { ...found, message }), mended: true };
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      const message = `${found.message}; it could not be put back: ${why}`;
      return { ...driftOf(bound, { ...found, message }), mended: false };
    }
  }

  /** What came of it, in words; empty: as before. */
  async #putBack(inForce: InForce, bound: Bound, reason: Reason, signal: AbortSignal): Promise<string> {
    const { workshop } = this.#parts;
    const { name, lambda } = bound;
    switch (reason) {
      case "FOREIGN_TAGS":
        throw new Error("what is not tagged as ours is not touched");
      case "FUNCTION_MISSING":
      case "VERSION_MISSING": {
        const wanted = await this.#wanted(inForce, bound, signal);
        const about = { description: `greco repair of version ${bound.version}`, raises: () => undefined };
        const { version } = await makeFunction(workshop, wanted, about, signal);
        return `it is version ${version} now`;
      }
      case "LATEST_CHANGED":
        await makeLatest(workshop, await this.#wanted(inForce, bound, signal), signal);
        return "";
      case "ALIAS_ELSEWHERE":
        await setAlias(workshop, name, await this.#address(bound, signal), signal);
        return "";
      case "CONCURRENCY_DIFFERS": {
        await setReserved(workshop, name, lambda.reservedConcurrency, signal);
        if (lambda.provisionedConcurrency !== undefined) {
          const address = await this.#address(bound, signal);
          await setProvisioned(workshop, name, address, lambda.provisionedConcurrency, signal);
        }
        return "";
      }
    }
  }

  /** Its number, or another one with its content. */
  async #address({ name, lambda, version }: Bound, signal: AbortSignal): Promise<string> {
    const all = await this.#parts.workshop.region.listVersions(name, signal);
    const same = all.filter((each) => isContent(lambda, each));
    const found = same.find((each) => each.version === version) ?? same.at(-1);
    if (found === undefined) throw new Error("no version has its content");
    return found.version;
  }

  /** R6: only what has the content that the epoch names. */
  async #wanted({ model, view }: InForce, bound: Bound, signal: AbortSignal): Promise<WantedFunction> {
    const { wishes } = this.#parts;
    const entity = view.get(bound.key);
    if (entity === undefined || entity.identity !== bound.entity)
      throw new Error(`${bound.entity} is not in the model`);
    const wanted = await wantedOf(model, entity, view, wishes, signal);
    const { codeSha256, configHash } = bound.lambda;
    if (wanted.codeSha256 !== codeSha256 || configHashOf(wanted.config) !== configHash)
      throw new Error(
        "this release of Greco, or the conductor's own role, makes another content of it: make a new version",
      );
    return wanted;
  }
}

function boundOf(
  { entity, content }: InForce["bindings"][number],
  model: ModelId,
  prefix: string,
): readonly Bound[] {
  const { lambda } = JSON.parse(content) as QueryContent;
  const owner: Owner = { prefix, model, entity };
  const name = functionName(owner);
  const at = lambda === undefined ? undefined : parseQualifiedArn(lambda.qualifiedArn);
  // Of a deployment with another prefix: not ours to judge.
  if (lambda === undefined || at?.name !== name) return [];
  return [{ key: parseEntityIdentity(entity).key, entity, owner, name, lambda, version: at.version }];
}

const isContent = ({ codeSha256, configHash }: LambdaContent, version: VersionFacts): boolean =>
  version.codeSha256 === codeSha256 && configHashOf(version.config) === configHash;

const isKnown = (latest: FunctionFacts, versions: readonly VersionFacts[]): boolean =>
  versions.some(
    (each) => contentHashOf(each.codeSha256, each.config) === contentHashOf(latest.codeSha256, latest.config),
  );

const driftOf = ({ key, name, version }: Bound, { reason, message }: Found): Drift => ({
  entity: key,
  object: `function ${name}, version ${version}`,
  reason,
  message,
  remedy: REMEDIES[reason],
});
