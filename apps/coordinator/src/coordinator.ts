/** What the handlers stand on. */
import type { Driver } from "./driver/driver.ts";
import type { Parts } from "./parts.ts";
import type { Inspected } from "@greco/contracts/greco/commit/v1/commit";
import type { Questions } from "./asking/questions.ts";
import type { PlanVote } from "./plan/plans.ts";
import type { Repairs } from "./repairs.ts";
import type { ProposalStore } from "./store/proposal-store.ts";

export type Coordinator = {
  readonly parts: Parts;
  readonly proposals: ProposalStore;
  readonly driver: Driver;
  readonly plans: Questions<PlanVote>;
  readonly inspections: Questions<Inspected>;
  readonly repairs: Repairs;
};
