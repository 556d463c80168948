/**
 * What AWS has beside what the epochs say, and putting it back (`greco drift`, `greco repair`).
 *
 * D1. Looking changes nothing. D2. What is not tagged as ours is told, and never touched.
 */
import type { Drift, InForce, ModelView, StandingBinding } from "@greco/conductor-kit";
import { configHashOf, type LambdaContent, type QueryContent } from "@greco/domain/epoch";
import { parseEntityIdentity, type EntityIdentity, type EntityKey } from "@greco/domain/model";
import { LIVE_ALIAS, setAlias, setConcurrency } from "./apply-version.ts";
import type { LiveView } from "./conductor.ts";
import { contentHashOf } from "./function-config.ts";
import { functionName, parseQualifiedArn, tagsMatch, type Owner } from "./function-name.ts";
import { makeFunction, makeLatest, type Workshop } from "./make-function.ts";
import { persist } from "./persist.ts";
import type { FunctionFacts, VersionFacts } from "./region.ts";
import { sideBySide, type Turns } from "./turns.ts";
import { addressOf } from "./version-address.ts";
import { wantedOf, type WantedFunction, type Wishes } from "./wanted.ts";

export type DriftParts = {
  readonly workshop: Workshop;
  readonly wishes: Wishes;
  readonly turns: Turns;
  readonly live: LiveView;
};

/** A binding with its function. */
type Bound = {
  readonly key: EntityKey;
  readonly entity: EntityIdentity;
  readonly owner: Owner;
  readonly name: string;
  readonly lambda: LambdaContent;
  readonly version: string;
  /** Otherwise of an older epoch, which lanes or replays may need: all that must be of it is its version. */
  readonly isNewest: boolean;
  /** The model at the epoch that it came with. */
  view(signal: AbortSignal): Promise<ModelView>;
};

/** What is in force, if it is there, before what is superseded. */
type OfFunction = readonly [Bound, ...(readonly Bound[])];

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
    return this.#each(inForce, signal, async (bounds, over) =>
      (await this.#look(bounds, over)).map(([bound, found]) => driftOf(bound, found)),
    );
  }

  mend(inForce: InForce, signal: AbortSignal): Promise<readonly Drift[]> {
    return this.#each(inForce, signal, ([first, ...more], over) =>
      this.#parts.turns.take(first.name, async () => {
        const told: Drift[] = [];
        for (const [bound, found] of await this.#look([first, ...more], over))
          told.push(await this.#mendOne(bound, found, over));
        return told;
      }),
    );
  }

  /** Function by function. */
  async #each(
    { model, view, bindings, superseded }: InForce,
    signal: AbortSignal,
    work: (bounds: OfFunction, over: AbortSignal) => Promise<readonly Drift[]>,
  ): Promise<readonly Drift[]> {
    const { workshop, wishes } = this.#parts;
    const place = { model, prefix: wishes.prefix };
    const all = [
      ...bindings.flatMap((each) => boundOf(each, place, () => Promise.resolve(view), true)),
      ...superseded.flatMap((each) => boundOf(each, place, (over) => each.view(over), false)),
    ];
    const functions = [...Map.groupBy(all, ({ name }) => name).values()].flatMap(
      ([first, ...more]): readonly OfFunction[] => (first === undefined ? [] : [[first, ...more]]),
    );
    const found = await sideBySide(functions, workshop.limits.functionsAtOnce, work, signal);
    return found.flat();
  }

  async #look(bounds: OfFunction, signal: AbortSignal): Promise<readonly (readonly [Bound, Found])[]> {
    const { workshop } = this.#parts;
    const { region } = workshop;
    const [first] = bounds;
    const { name, owner } = first;
    const read = <T>(look: () => Promise<T>): Promise<T> => persist(workshop, look, signal);
    const latest = await read(() => region.getFunction(name, undefined, signal));
    if (latest === undefined)
      return bounds.map((each) => [
        each,
        { reason: "FUNCTION_MISSING", message: `there is no function ${name}` },
      ]);
    if (!tagsMatch(owner, latest.tags))
      return [[first, { reason: "FOREIGN_TAGS", message: `the tags of ${name} do not say that it is ours` }]];
    const versions = await read(() => region.listVersions(name, signal));
    const found: [Bound, Found][] = [];
    for (const each of bounds) {
      if (addressOf(each.lambda, versions) !== undefined) continue;
      const message = `version ${each.version} is not there, nor another one with its content`;
      found.push([each, { reason: "VERSION_MISSING", message }]);
    }
    if (first.isNewest)
      for (const each of await this.#lookAtNewest(first, latest, versions, signal)) found.push([first, each]);
    return found;
  }

  /** Of what is in force: all that belongs to the function as a whole. */
  async #lookAtNewest(
    bound: Bound,
    latest: FunctionFacts,
    versions: readonly VersionFacts[],
    signal: AbortSignal,
  ): Promise<readonly Found[]> {
    const { workshop, live } = this.#parts;
    const { entity, lambda, name, owner } = bound;
    const found: Found[] = [];
    if (!isKnown(latest, versions))
      found.push({
        reason: "LATEST_CHANGED",
        message: "$LATEST is like none of the versions: somebody edited it, or a candidate was aborted",
      });
    const address = addressOf(lambda, versions);
    // Before that, another alias and more concurrency are as they should be.
    if (address === undefined || !live.isSettled(owner.model, entity)) return found;
    const alias = await persist(workshop, () => workshop.region.getAlias(name, LIVE_ALIAS, signal), signal);
    if (alias?.version !== address)
      found.push({
        reason: "ALIAS_ELSEWHERE",
        message: `alias ${LIVE_ALIAS} is ${alias === undefined ? "not there" : `at version ${alias.version}`}, and version ${address} is in force`,
      });
    return [...found, ...(await this.#concurrency(bound, latest, address, signal))];
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
    const look = (): ReturnType<Workshop["region"]["getProvisioned"]> =>
      workshop.region.getProvisioned(name, version, signal);
    const seen = await persist(workshop, look, signal);
    if (seen?.requested !== wanted) say("provisioned", seen?.requested, wanted);
    return found;
  }

  async #mendOne(bound: Bound, found: Found, signal: AbortSignal): Promise<Drift> {
    const { log } = this.#parts.workshop;
    try {
      const told = await this.#putBack(bound, found.reason, signal);
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
  async #putBack(bound: Bound, reason: Reason, signal: AbortSignal): Promise<string> {
    const { workshop, live } = this.#parts;
    const { name, lambda } = bound;
    switch (reason) {
      case "FOREIGN_TAGS":
        throw new Error("what is not tagged as ours is not touched");
      case "FUNCTION_MISSING":
      case "VERSION_MISSING": {
        const wanted = await this.#wanted(bound, signal);
        const description = `greco repair of version ${bound.version}`;
        const about = { description, concurrency: "leave", raises: () => undefined } as const;
        const { version } = await makeFunction(workshop, wanted, about, signal);
        // What is told of it behind the crossing is told again.
        live.touch(bound.owner.model, bound.entity);
        return `it is version ${version} now`;
      }
      case "LATEST_CHANGED":
        await makeLatest(workshop, await this.#wanted(bound, signal), signal);
        return "";
      case "ALIAS_ELSEWHERE":
        await setAlias(workshop, name, await this.#address(bound, signal), signal);
        return "";
      case "CONCURRENCY_DIFFERS": {
        const version = await this.#address(bound, signal);
        const facts = await workshop.region.getFunction(name, undefined, signal);
        await setConcurrency(workshop, name, { lambda, version, reserved: facts?.reserved }, signal);
        return "";
      }
    }
  }

  /** Its number, or another one with its content. */
  async #address({ name, lambda }: Bound, signal: AbortSignal): Promise<string> {
    const found = addressOf(lambda, await this.#parts.workshop.region.listVersions(name, signal));
    if (found === undefined) throw new Error("no version has its content");
    return found;
  }

  /** R6: only what has the content that the epoch names. */
  async #wanted(bound: Bound, signal: AbortSignal): Promise<WantedFunction> {
    const { wishes } = this.#parts;
    const view = await bound.view(signal);
    const entity = view.get(bound.key);
    if (entity === undefined || entity.identity !== bound.entity)
      throw new Error(`${bound.entity} is not in the model`);
    const wanted = await wantedOf(bound.owner.model, entity, view, wishes, signal);
    const { codeSha256, configHash } = bound.lambda;
    if (wanted.codeSha256 !== codeSha256 || configHashOf(wanted.config) !== configHash)
      throw new Error(
        "this release of Greco, or the conductor's own role, makes another content of it: make a new version",
      );
    return wanted;
  }
}

function boundOf(
  { entity, content }: StandingBinding,
  place: Pick<Owner, "model" | "prefix">,
  view: Bound["view"],
  isNewest: boolean,
): readonly Bound[] {
  const { lambda } = JSON.parse(content) as QueryContent;
  const owner: Owner = { ...place, entity };
  const name = functionName(owner);
  const at = lambda === undefined ? undefined : parseQualifiedArn(lambda.qualifiedArn);
  // Of a deployment with another prefix: not ours to judge.
  if (lambda === undefined || at?.name !== name) return [];
  const { key } = parseEntityIdentity(entity);
  return [{ key, entity, owner, name, lambda, version: at.version, isNewest, view }];
}

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
