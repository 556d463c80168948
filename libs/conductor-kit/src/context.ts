/** What a conductor's session for one model stands on, and what its parts share. */
import type { ConductorId, ModelId } from "@greco/domain/model";
import type { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { BindingStore, Clock, ControlLog, Ids, LaneStore, Log, Wake } from "@greco/ports";
import type { Client } from "@greco/sdk";
import type { Failpoint } from "@greco/service-kit";
import type { Backoff } from "./backoff.ts";
import type { Conductor } from "./conductor.ts";
import type { ConductorLimits } from "./limits.ts";

/** What is asked of the control plane; nothing else is (I10). */
export type CoordinatorDoor = Pick<Client<typeof ConductorService>, "registerConductor" | "answerCommand">;
export type RegistryDoor = Pick<
  Client<typeof RegistryService>,
  "listModels" | "snapshot" | "getCandidateChanges"
>;

export type ConductorDependencies = {
  readonly coordinator: CoordinatorDoor;
  readonly registry: RegistryDoor;
  readonly controlLog: ControlLog;
  readonly bindingStore: BindingStore;
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** For tests that let one conductor among several die. Default: the process's own. */
  readonly failpoint?: Failpoint;
};

export type SessionContext = Omit<ConductorDependencies, "failpoint"> & {
  readonly failpoint: Failpoint;
  readonly conductor: Conductor;
  readonly id: ConductorId;
  readonly model: ModelId;
  readonly limits: ConductorLimits;
  /** Kinds that it owns. */
  readonly kinds: ReadonlySet<string>;
  /** Kinds that it owns or watches: all that its view holds. */
  readonly seen: ReadonlySet<string>;
};

export const backoffOf = ({ clock, ids, limits }: SessionContext): Backoff => ({
  clock,
  ids,
  minMs: limits.backoffMinMs,
  maxMs: limits.backoffMaxMs,
});
