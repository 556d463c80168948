/** Plans as questions: what of an answer is one to a plan. */
import type { Answer } from "@greco/domain/commit";
import type { Answered, Sort } from "../asking/questions.ts";
import { toAnswer } from "../wire/votes.ts";

export type PlanVote = Answer & { readonly kind: "accept" | "veto" };
export type PlanAnswer = Answered<PlanVote>;

export const planSort: Sort<PlanVote> = {
  name: "plan",
  read: (request) => {
    const answer = toAnswer(request);
    return answer?.kind === "accept" || answer?.kind === "veto" ? answer : undefined;
  },
  answeredBy: "accept or veto",
  reasons: { ended: "PLAN_ENDED", notAsked: "NOT_A_VOTER" },
};
