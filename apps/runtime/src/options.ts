/** What a runtime is made of, and what may be chosen. */
import type { BindingStore, Clock, FunctionHost, Ids, LaneStore, Log, Metrics, Wake } from "@greco/ports";
import type { ColdBoot, Failpoint, RuntimeLimits } from "@greco/runtime-kit";
import type { Listen, Readiness } from "@greco/service-kit";

/** No part of the control plane is among them but the one question of a cold boot (I9, I10). */
export type RuntimeDependencies = {
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Disposed by who opened it. */
  readonly functionHost: FunctionHost;
  readonly coldBoot?: ColdBoot;
  /** Health follows it. */
  readonly readiness?: Readiness | undefined;
  /** For operators; absent: nobody looks. */
  readonly metrics?: Metrics | undefined;
};

export type RuntimeOptions = {
  /** Where health is served. */
  readonly listen: Listen;
  /** For people, in claims and writers. Default `runtime`. */
  readonly name?: string;
  /** Default: every model that the data plane knows. */
  readonly models?: readonly string[];
  readonly leaseMs?: number;
  readonly modelsPollMs?: number;
  readonly limits?: Partial<RuntimeLimits>;
  /** Default: the one that this process's environment arms, if it does. */
  readonly failpoint?: Failpoint;
  /** What a programmer's error does. Default: thrown where nobody catches it, so that the process ends. */
  readonly crash?: (error: unknown) => void;
  /** Only benchmarks: leaves the epoch check of each message out, to see what it costs. */
  readonly benchmarkWithoutEpochCheck?: boolean;
};

/** Of everything inside. */
export type RuntimeContext = RuntimeDependencies & {
  readonly name: string;
  readonly leaseMs: number;
  readonly modelsPollMs: number;
  readonly models?: readonly string[];
  readonly limits: Partial<RuntimeLimits>;
  readonly failpoint?: Failpoint;
  readonly crash: (error: unknown) => void;
  readonly epochCheck: boolean;
};
