/** What bounds calls of functions, and why. */
export type LambdaLimits = {
  /** AWS refuses larger requests of a synchronous call. */
  readonly requestBytes: number;
  /** No function may run longer (15 minutes); a little more, so that AWS's own answer comes first. */
  readonly requestMs: number;
  /** A host that does not take a connection within this time is not there. */
  readonly connectMs: number;
  /** Connections to AWS: calls under way of all functions together. Beyond, they wait for each other. */
  readonly sockets: number;
};

export const LAMBDA_LIMITS: LambdaLimits = {
  requestBytes: 6 * 1024 * 1024,
  requestMs: 15 * 60_000 + 10_000,
  connectMs: 5_000,
  sockets: 512,
};
