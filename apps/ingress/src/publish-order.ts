/** What is asked of the publisher, and what comes of it. */
import type { Fault } from "@greco/service-kit";
import type { Place, ProducerClaim } from "./producer.ts";

export type PublishMessage = {
  readonly payload: Uint8Array;
  readonly key: string;
  /** 0: none. */
  readonly producerSeq: number;
  /** Where it stands in the request, for faults: `message`, `messages[3]`. */
  readonly field: string;
};

export type PublishOrder = {
  readonly stream: string;
  readonly messages: readonly PublishMessage[];
  /** 0: none. */
  readonly atLeastEpoch: number;
  readonly producer: ProducerClaim | undefined;
};

/** `currentEpoch`: what the lane was current to; `duplicate`: it had been stored before. */
export type Published = { readonly place: Place; readonly currentEpoch: number; readonly duplicate: boolean };
export type Outcome = Published | Fault;
