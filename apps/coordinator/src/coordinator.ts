/** What the handlers stand on. */
import type { Driver } from "./driver/driver.ts";
import type { Parts } from "./parts.ts";
import type { Plans } from "./plan/plans.ts";
import type { Repairs } from "./repairs.ts";
import type { ProposalStore } from "./store/proposal-store.ts";

export type Coordinator = {
  readonly parts: Parts;
  readonly proposals: ProposalStore;
  readonly driver: Driver;
  readonly plans: Plans;
  readonly repairs: Repairs;
};
