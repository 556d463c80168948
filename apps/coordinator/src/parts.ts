/** What the parts of the coordinator stand on. */
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { Clock, ControlLog, CpStore, Ids, LaneStore, Log, Wake } from "@greco/ports";
import type { Client } from "@greco/sdk";
import type { Failpoint } from "@greco/service-kit";
import type { CoordinatorLimits } from "./limits.ts";
import type { CoordinatorCounts } from "./metrics.ts";

export type Parts = {
  readonly store: CpStore;
  readonly registry: Client<typeof RegistryService>;
  readonly controlLog: ControlLog;
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits: CoordinatorLimits;
  readonly failpoint: Failpoint;
  readonly counts: CoordinatorCounts;
  /** Aborts when the coordinator stops. */
  readonly running: AbortSignal;
  /** A broken invariant ends the process; it must not go on with a broken promise. */
  readonly crash: (error: unknown) => void;
};
