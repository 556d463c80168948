/** The vote: everything that may be wrong with the functions as they would be, each with its limit and a remedy. */
import type {
  Accept,
  Affected,
  Finding,
  PlanStep,
  ReviewRequest,
  Veto,
  ViewEntity,
} from "@greco/conductor-kit";
import { QueryChecker, specOf } from "@greco/query-kit";
import { checkRegion, type Making } from "./check-region.ts";
import { checkCode, checkSettings, type Found } from "./check-settings.ts";
import { QUERIES_A_TURN } from "./limits.ts";
import type { Workshop } from "./make-function.ts";
import { differs, isLambda, planOf, stepsOf } from "./plan.ts";
import type { RegionFacts } from "./region-facts.ts";
import { configOf, wantedOf, type WantedFunction, type Wishes } from "./wanted.ts";

/** As it would be, or, when it is deleted, as it was. */
export const isMine = (each: Affected): boolean => isLambda(each.after ?? each.before);

export async function review(
  workshop: Workshop,
  facts: RegionFacts,
  wishes: Wishes,
  { model, affected, before, after }: ReviewRequest,
  signal: AbortSignal,
): Promise<Accept | Veto> {
  const mine = affected.filter(isMine);
  const checker = new QueryChecker(before, after);
  const findings: Finding[] = [];
  const steps: PlanStep[] = [];
  const makings: Making[] = [];
  for (const [index, each] of mine.entries()) {
    const found = [...checker.findingsOf(each), ...settingsFindings(each, wishes)];
    findings.push(...found);
    const { after: entity } = each;
    if (found.length === 0) {
      steps.push(...stepsOf(each, { before, after }, { prefix: wishes.prefix, model }));
      const overlap = checkOverlap(each, differs(each, before, after) !== undefined);
      findings.push(...overlap.map((one) => errorOf(each, one)));
      const make = async (entity: ViewEntity, over: AbortSignal): Promise<WantedFunction> => {
        const made = await wantedOf(model, entity, after, wishes, over);
        findings.push(...checkCode(made).map((one) => errorOf(each, one)));
        return made;
      };
      if (entity !== undefined) makings.push({ each, make: (over) => make(entity, over) });
    }
    // Others of this process have work to do, too.
    if (index % QUERIES_A_TURN === QUERIES_A_TURN - 1) await workshop.clock.sleep(0, signal);
  }
  // What is wrong already is told without asking AWS.
  if (findings.length > 0) return { vote: "veto", findings };
  // Zips are made while AWS answers for others.
  const region = await checkRegion(workshop, facts, makings, signal);
  findings.push(...region.findings);
  if (findings.length > 0) return { vote: "veto", findings };
  for (const what of region.unchecked) workshop.log.warn("lambda.unchecked", { what });
  const plan = planOf(region.looked, steps, region.unchecked, workshop.limits);
  return { vote: "accept", claims: mine.map((each) => each.key), plan };
}

function settingsFindings(each: Affected, wishes: Wishes): readonly Finding[] {
  if (each.after === undefined) return [];
  const spec = specOf(each.after.spec);
  return checkSettings(spec, configOf(spec, wishes)).map((one) => errorOf(each, one));
}

const errorOf = (each: Affected, one: Found): Finding => ({ severity: "error", entity: each.key, ...one });

/** While lanes cross, both versions are kept warm, out of what is reserved. */
function checkOverlap({ before, after }: Affected, changes: boolean): readonly Found[] {
  if (!changes || before === undefined || after === undefined) return [];
  const [old, now] = [specOf(before.spec).lambda, specOf(after.spec).lambda];
  const reserved = now?.reservedConcurrency;
  const warm = (old?.provisionedConcurrency ?? 0) + (now?.provisionedConcurrency ?? 0);
  if (reserved === undefined || now?.provisionedConcurrency === undefined || warm <= reserved) return [];
  return [
    {
      fieldPath: "lambda.provisionedConcurrency",
      reason: "PROVISIONED_OVERLAP",
      message: `until every lane has crossed, ${warm} environments of both versions are kept warm of ${reserved} that are reserved`,
      remedy: `reserve ${warm}, or keep fewer warm, at least for the time of the change`,
    },
  ];
}
