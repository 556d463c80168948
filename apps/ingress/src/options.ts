/** What an ingress is made of, and what may be chosen. */
import type { BindingStore, Clock, Ids, LaneStore, Log, Metrics, Wake } from "@greco/ports";
import type { Authority, ConnectListen, Listen, Readiness } from "@greco/service-kit";
import type { IngressLimits } from "./limits.ts";

/** No part of the control plane is among them (I9, I10). */
export type IngressDependencies = {
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly authority: Authority;
  /** Health follows it. */
  readonly readiness?: Readiness | undefined;
  /** For operators; absent: nobody looks. */
  readonly metrics?: Metrics | undefined;
};

export type IngressOptions = Partial<IngressLimits> & {
  readonly listen: Listen;
  /** Connect and gRPC-Web. */
  readonly connect?: ConnectListen;
  /** For people, in lanes' writers. Default `ingress`. */
  readonly name?: string;
  /** Subjects that may dead-letter by hand in every stream. Others may where the stream names them as publishers. */
  readonly operators?: readonly string[];
  readonly failpoint?: (name: string) => Promise<void>;
};

/** Of everything inside. */
export type IngressContext = IngressDependencies & {
  readonly limits: IngressLimits;
  readonly name: string;
  readonly operators: ReadonlySet<string>;
  readonly failpoint: (name: string) => Promise<void>;
};
