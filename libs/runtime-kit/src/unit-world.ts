/** What a unit finds around it: one runtime incarnation's writer, stores, host and shares. */
import type { ModelId } from "@greco/domain/model";
import type { LaneWriter, LedgerFollower } from "@greco/lane-kit";
import type { Clock, Ids, LaneStore, Log, Wake } from "@greco/ports";
import type { LaneListing } from "./lane-listing.ts";
import type { RuntimeLimits } from "./limits.ts";
import type { Executor, ProgramPool } from "./program-pool.ts";
import type { QueryCatalog } from "./query-catalog.ts";
import type { ByteBudget, CallPlaces } from "./shares.ts";

/** `runtime.claim|takeover|append|marker|checkpoint.before|after`; a lane's opening row is a marker, too. */
export type Failpoint = (name: string) => Promise<void>;

/** Counted since the runtime began. */
export type RuntimeCounts = {
  inputs: number;
  outputs: number;
  deadLetters: number;
  skipped: number;
  retries: number;
  /** Dead letters of dead letters, dropped: they would never end. */
  lettersDropped: number;
  /** Inputs that were gone, past their retention, before they were read. */
  unretained: number;
};

export type UnitWorld = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly model: ModelId;
  readonly leaseMs: number;
  readonly limits: RuntimeLimits;
  readonly writer: LaneWriter;
  readonly ledger: LedgerFollower;
  readonly catalog: QueryCatalog;
  readonly listing: LaneListing;
  readonly pool: ProgramPool;
  readonly host: Executor;
  readonly budget: ByteBudget;
  readonly places: CallPlaces;
  readonly counts: RuntimeCounts;
  readonly failpoint?: Failpoint;
  /** Only benchmarks: see `CallWindowOptions.epochCheck`. */
  readonly epochCheck?: boolean;
};
