/**
 * Kind `query`, with `runtime: lambda`: each becomes a function of AWS Lambda, each content of it a numbered version, and
 * an epoch names the version (docs/decisions/0100-lambda.md). No alias, no weight and no $LATEST takes part in the switch.
 *
 * C1 (K1, K4). Function and version are intended before the first create, and the binding stands on both.
 * C2 (R6). A version is found by its content: a prepare again gives the same binding, while the version is there.
 * C3. Prepare, undo, retire and mend of one function are in series; functions are side by side.
 */
import {
  PrepareError,
  type Affected,
  type Conductor,
  type Finding,
  type NewBinding,
  type Preparation,
} from "@greco/conductor-kit";
import type { QueryContent } from "@greco/domain/epoch";
import type { ModelId } from "@greco/domain/model";
import { streamKey } from "@greco/query-kit";
import { checkAccess } from "./check-access.ts";
import { Drifts } from "./drift.ts";
import { FunctionError, findingOf } from "./function-error.ts";
import { descriptionOf, functionObject, parseObject, versionObject } from "./function-name.ts";
import type { GoLive } from "./go-live.ts";
import { QUERIES_A_TURN } from "./limits.ts";
import { makeFunction, type About, type Workshop } from "./make-function.ts";
import { RegionFacts } from "./region-facts.ts";
import { removeObjects } from "./remove-objects.ts";
import { isMine, review } from "./review.ts";
import { sideBySide, type Turns } from "./turns.ts";
import { bindingText, wantedOf, type WantedFunction, type Wishes } from "./wanted.ts";

/** What follows the crossing, as go-live.ts has it. */
export type LiveView = Pick<GoLive, "attend" | "touch" | "isSettled">;

export type LambdaDependencies = Wishes & {
  readonly workshop: Workshop;
  /** For what no candidate waits for: retire, drift. */
  readonly unhurried: Workshop;
  readonly live: LiveView;
  /** C3 */
  readonly turns: Turns;
};

type Making = { readonly each: Affected; readonly wanted: WantedFunction };

export function createLambdaConductor(dependencies: LambdaDependencies): Conductor {
  const { workshop, unhurried, live, turns, prefix } = dependencies;
  const facts = new RegionFacts(workshop);
  const drifts = new Drifts({ workshop: unhurried, wishes: dependencies, turns, live });

  /** C3: one function after the other is given back, each in its turn. */
  const remove = async (
    by: Workshop,
    model: ModelId,
    objects: readonly string[],
    signal: AbortSignal,
  ): Promise<void> => {
    const byName = Map.groupBy(objects, (object) => parseObject(object).name);
    const work = ([name, some]: [string, string[]], over: AbortSignal): Promise<void> =>
      turns.take(name, () => removeObjects(by, { prefix, model }, some, over));
    await sideBySide([...byName], workshop.limits.functionsAtOnce, work, signal);
  };

  return {
    name: "conductor-lambda",
    kinds: ["query"],
    watches: ["stream", "table"],

    review: (request, signal) => review(workshop, facts, dependencies, request, signal),

    async prepare(preparation, signal) {
      const makings = await makingsOf(preparation, dependencies, signal);
      if (makings.length === 0) return [];
      const { model, candidate, intend, again } = preparation;
      await intend(makings.flatMap(({ wanted }) => objectsOf(wanted)));
      const work = (making: Making, over: AbortSignal): Promise<NewBinding> =>
        turns.take(making.wanted.name, () => {
          const { wanted, each } = making;
          const description = descriptionOf(wanted.owner, candidate, wanted.contentHash);
          // To be taken back once it is decided, if need be.
          const raises = (): void => live.touch(model, each.identity);
          const concurrency = again === true ? "leave" : each.before === undefined ? "set" : "raise";
          return bindingOf(workshop, making, { description, concurrency, raises }, over);
        });
      try {
        return await sideBySide(makings, workshop.limits.functionsAtOnce, work, signal);
      } catch (error) {
        throw toPrepareError(error);
      }
    },

    /** Nothing waits for the commit: what follows the crossing is done by go-live.ts. */
    release: () => Promise.resolve(),
    undo: ({ model, objects }, signal) => remove(workshop, model, objects, signal),
    retire: ({ model, free }, signal) => remove(unhurried, model, free, signal),

    takes: isMine,
    owns: (content) => (JSON.parse(content) as QueryContent).lambda !== undefined,
    inputsOf: ({ content }) => Promise.resolve([streamKey((JSON.parse(content) as QueryContent).from)]),

    inspect: (inForce, signal) => drifts.inspect(inForce, signal),
    mend: (inForce, signal) => drifts.mend(inForce, signal),
    attend: (attendance, signal) => live.attend(attendance, signal),
    checkAccess: (signal) => checkAccess(unhurried, dependencies, signal),
  };
}

const objectsOf = ({ name, contentHash }: WantedFunction): readonly string[] => [
  functionObject(name),
  versionObject(name, contentHash),
];

async function makingsOf(
  { model, claimed, after }: Preparation,
  dependencies: LambdaDependencies,
  signal: AbortSignal,
): Promise<readonly Making[]> {
  const makings: Making[] = [];
  for (const [index, each] of claimed.entries()) {
    const { after: entity } = each;
    if (entity === undefined || !isMine(each)) continue;
    makings.push({ each, wanted: await wantedOf(model, entity, after, dependencies, signal) });
    // Others of this process have work to do, too.
    if (index % QUERIES_A_TURN === QUERIES_A_TURN - 1) await dependencies.workshop.clock.sleep(0, signal);
  }
  return makings;
}

async function bindingOf(
  workshop: Workshop,
  { each, wanted }: Making,
  about: About,
  signal: AbortSignal,
): Promise<NewBinding> {
  try {
    const { arn } = await makeFunction(workshop, wanted, about, signal);
    return { entity: each.identity, content: bindingText(wanted, arn), uses: objectsOf(wanted) };
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    throw new PrepareError([findingOf(each.key, wanted.name, error)]);
  }
}

/** All that failed by itself, as one; what ended because another failed tells nothing. */
function toPrepareError(error: unknown): unknown {
  const all: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  const findings: Finding[] = [];
  for (const each of all) {
    if (!(each instanceof PrepareError)) return each;
    findings.push(...each.findings);
  }
  const telling = findings.filter(({ reason }) => reason !== "NOT_READY_IN_TIME");
  return new PrepareError(telling.length > 0 ? telling : findings);
}
