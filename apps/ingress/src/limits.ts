/** Bounds of the ingress, each with the reason for its value. All can be given to `startIngress`. */
export type IngressLimits = {
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly lanePollMs: number;
  readonly housekeepingMs: number;
  readonly fullWaitMs: number;
  readonly inflightBytes: number;
  readonly batchesUnderWay: number;
  readonly epochWaitMs: number;
  readonly producerWindow: number;
  readonly producerNumbers: number;
  readonly producers: number;
  readonly producerScanRows: number;
  readonly responseEntries: number;
  readonly responseBytes: number;
  readonly windowEntries: number;
  readonly retryAfterMs: number;
  readonly trimRows: number;
};

export const INGRESS_LIMITS: IngressLimits = {
  /** A process that pauses for two of these (garbage, a busy machine) must not lose its lanes. The same for all who
   *  read, write or seal in a model; a dead ingress's lanes are sealed after four. */
  leaseMs: 3_000,
  /** Of ledger and lanes: what a lost hint costs. */
  pollMs: 200,
  /** Of a lane that somebody subscribes to. */
  lanePollMs: 100,
  /** Retention and finished lanes are in no hurry. */
  housekeepingMs: 5_000,
  /** A burst is taken up by waiting; longer would only hide from the publisher that it is too fast. */
  fullWaitMs: 1_000,
  /** Of requests that are not answered yet, whatever they wait for: payloads, and something for the rest of each. */
  inflightBytes: 256 * 1024 * 1024,
  /** Batches of one stream of publishing that wait for their acknowledgements. */
  batchesUnderWay: 64,
  /** At most so long does a publish without a deadline wait for its epoch. */
  epochWaitMs: 30_000,
  /** Numbers of one producer that are remembered: more than it can have under way. */
  producerWindow: 65_536,
  /** Numbers remembered over all producers: 85 to 150 bytes each, as their maps grow; 75 MB at most. */
  producerNumbers: 500_000,
  /** Producers remembered, some 1 KB each beside their numbers: 50 MB. */
  producers: 50_000,
  /** Rows of one lane read back to find a producer's numbers; one that has gone further back takes a new id. */
  producerScanRows: 500_000,
  /** A response of a subscription: small enough to flow, large enough to cost little an entry. */
  responseEntries: 500,
  /** Under gRPC's 4 MiB with the largest entry of 1 MiB on top. */
  responseBytes: 2 * 1024 * 1024,
  /** Entries of one subscription under way, when it says nothing. */
  windowEntries: 1_000,
  /** What a publisher is told to wait when the ingress is full. */
  retryAfterMs: 200,
  /** Rows of one lane looked at in one round of retention. */
  trimRows: 20_000,
};
