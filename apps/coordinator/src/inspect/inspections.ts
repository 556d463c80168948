/** Inspections as questions: what of an answer is one to an inspection, and in what size it is handed on. */
import type { Inspected } from "@greco/contracts/greco/commit/v1/commit";
import type { Sort } from "../asking/questions.ts";

export const inspectSort: Sort<Inspected> = {
  name: "inspect",
  read: ({ answer }) => (answer.case === "inspected" ? answer.value : undefined),
  answeredBy: "inspected",
  reasons: { ended: "INSPECTION_ENDED", notAsked: "NOT_ASKED" },
};
