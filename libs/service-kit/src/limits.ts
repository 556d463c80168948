/** Limits of an edge, each with the reason for its value. All can be given to `serve`. */
export type ServerLimits = {
  readonly messageBytesMax: number;
  readonly drainMs: number;
  readonly streamDrainMs: number;
  readonly concurrentStreamsMax: number;
  readonly keepaliveMs: number;
};

export const SERVER_LIMITS: ServerLimits = {
  /** gRPC's own default, which clients of other languages assume of a response, too. */
  messageBytesMax: 4 * 1024 * 1024,
  /** Shorter than the 30 s that orchestrators give a process between SIGTERM and SIGKILL. */
  drainMs: 10_000,
  /** Watches and subscriptions never end by themselves, and can be resumed elsewhere. */
  streamDrainMs: 1_000,
  /** A connection: more than any program has watches, less than would starve the others. */
  concurrentStreamsMax: 4_096,
  /** A peer that vanished without a word holds its watches for no longer than this and a half. */
  keepaliveMs: 30_000,
};
