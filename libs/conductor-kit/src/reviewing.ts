/**
 * A review: read-only, on a view that is equal to the candidate's base. Where nothing affected is of the
 * conductor's kinds, it accepts by itself, with ready (§4.1).
 */
import { epoch, type CandidateId } from "@greco/domain/model";
import type { Review } from "@greco/contracts/greco/conductor/v1/conductor";
import type { LedgerFollower } from "@greco/lane-kit";
import type { Chain } from "./chain.ts";
import type { Affected, ReviewRequest } from "./conductor.ts";
import type { SessionContext } from "./context.ts";
import type { StoredAccept } from "./journal.ts";
import type { MachineEvent } from "./machine.ts";
import { keepsOf } from "./preparing.ts";
import type { View } from "./view.ts";
import { orderedSteps, toAffected, toViewChanges } from "./wire.ts";

export type Vote = Extract<MachineEvent, { readonly type: "reviewed" }>["vote"];

export const noPlan = { steps: [], prepareTimeMs: 0, cost: "" } as const;

/** Affected entities of the conductor's kinds, each with its two sides. */
function affectedOf(
  { conductor, model, kinds }: SessionContext,
  review: Review,
  { before, after, join }: { readonly before: View; readonly after: View; readonly join: boolean },
): readonly Affected[] {
  if (join)
    return conductor.kinds.flatMap((kind) =>
      [...before.ofKind(kind)].map((each): Affected => ({
        key: each.key,
        identity: each.identity,
        change: "none",
        before: each,
        after: each,
      })),
    );
  return toAffected(model, review.candidate?.affected ?? [], kinds).map((each) => ({
    ...each,
    before: before.get(each.key),
    after: after.get(each.key),
  }));
}

/** The vote on a review. Undefined: there is no view at its base any more; nothing can be said. */
export async function voteOn(
  context: SessionContext,
  { chain, ledger }: { readonly chain: Chain; readonly ledger: LedgerFollower },
  review: Review,
  { candidate, joining }: { readonly candidate: CandidateId | undefined; readonly joining: boolean },
  signal: AbortSignal,
): Promise<Vote | undefined> {
  const { conductor, model, seen, limits } = context;
  const base = Number(review.candidate?.baseVersion ?? 0n);
  const before =
    (await chain.at(base, signal)) ?? (review.planOnly ? await chain.older(base, signal) : undefined);
  if (before === undefined) return undefined;
  const after = before.with(toViewChanges(model, review.changes, seen));
  const join = review.join && joining;
  const affected = affectedOf(context, review, { before, after, join });
  const wayBack = review.wayBack;
  if (affected.length === 0)
    return { vote: "accept", accept: { claims: [], plan: noPlan, ready: true, wayBack } };

  const request: ReviewRequest = { model, candidate, affected, before, after, join };
  const opinion = await conductor.review(request, signal);
  if (opinion.vote === "veto") {
    if (opinion.findings.length === 0)
      throw new Error(`conductor ${conductor.name} vetoes without a finding`);
    return opinion;
  }
  const keys = new Set(affected.map((each) => each.key));
  const stranger = opinion.claims.find((claim) => !keys.has(claim));
  if (stranger !== undefined)
    throw new Error(`conductor ${conductor.name} claims ${stranger}, which is not affected`);
  const back = wayBack ? await vetoOfWayBack(context, request, signal) : undefined;
  if (back !== undefined) return back;
  const steps = orderedSteps(opinion.plan.steps, limits.planStepsMax);
  const claimed = new Set(opinion.claims);
  const unclaimed = affected.filter(({ key }) => !claimed.has(key));
  const keeps = wayBack && !review.planOnly ? await keptOf(ledger, unclaimed, base, signal) : [];
  const accept: StoredAccept = {
    claims: opinion.claims,
    plan: { ...opinion.plan, steps },
    ready: opinion.claims.length === 0,
    wayBack,
    ...(keeps.length === 0 ? {} : { keeps }),
  };
  return { vote: "accept", accept };
}

/**
 * K4: of what is not claimed, since another conductor has it from the candidate on, the way back wants what is in force
 * at the base. No prepare pins it, so the vote does. Retire cannot have begun with it: it is not superseded yet.
 */
async function keptOf(
  ledger: LedgerFollower,
  unclaimed: readonly Affected[],
  base: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (unclaimed.length === 0) return [];
  await ledger.waitFor(epoch(base), signal);
  return keepsOf(ledger.index, unclaimed, [base]);
}

/** A confirmed commit: the review of the way back, from the candidate to its base (§4). */
async function vetoOfWayBack(
  { conductor }: SessionContext,
  { model, candidate, affected, before, after }: ReviewRequest,
  signal: AbortSignal,
): Promise<Vote | undefined> {
  const turned = { none: "none", update: "update", create: "delete", delete: "create" } as const;
  const back = affected.map((each): Affected => ({
    ...each,
    change: turned[each.change],
    before: each.after,
    after: each.before,
  }));
  const request = { model, candidate, affected: back, before: after, after: before, join: false };
  const opinion = await conductor.review(request, signal);
  if (opinion.vote === "accept") return undefined;
  const findings = opinion.findings.map((each) => ({
    ...each,
    message: `the way back would be vetoed: ${each.message}`,
  }));
  return { vote: "veto", findings };
}
