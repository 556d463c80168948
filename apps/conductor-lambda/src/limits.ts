/** Bounds of the conductor, each with the reason for its value. */
import type { LambdaSpec } from "@greco/query-kit";

/** What AWS Lambda allows; of "Lambda quotas" in its developer guide. */
export const AWS_LIMITS = {
  /** Of a zip that is uploaded directly; more would have to go through S3. */
  zippedBytesMax: 50 * 1024 * 1024,
  unzippedBytesMax: 250 * 1024 * 1024,
  /** Of all variables, written as JSON: so AWS measures it. */
  environmentBytesMax: 4 * 1024,
  memoryMbMin: 128,
  memoryMbMax: 10_240,
  timeoutSecondsMin: 1,
  timeoutSecondsMax: 900,
  nameLengthMax: 64,
  descriptionLengthMax: 256,
  /** AWS keeps so many of the account's concurrent calls for functions that reserve none. */
  unreservedLeast: 100,
} as const;

/** What a query with `runtime: lambda` gets where it does not say. */
export const LAMBDA_DEFAULTS = {
  /** The expression library with a table takes some 90 MB; more memory is also more processor. */
  memoryMb: 256,
  /** Of a call with a full batch; a query that needs longer for one message gets what it needs. */
  timeoutSeconds: 30,
  architecture: "x86_64",
  /** Ten calls of a hundred messages are more than what one lane delivers in the time of a call. */
  concurrency: 10,
  batch: 100,
} as const satisfies LambdaSpec;

/** The readable part of a function's name is cut, the prefix never is: policies name it. */
export const PREFIX_LENGTH_MAX = 16;

/** Queries that are worked on at a stretch: each may make a zip, some ten milliseconds. */
export const QUERIES_A_TURN = 2;

export type LambdaLimits = {
  /** Calls of the control plane, of all functions and models of this process; AWS: 15 a second an account. */
  readonly controlCallsPerSecond: number;
  /** GetFunction has a limit of its own, 100 a second an account; some is left to others. */
  readonly readsPerSecond: number;
  /** Functions that are worked on side by side: enough to keep the buckets empty while some are waited for. */
  readonly functionsAtOnce: number;
  /** First and longest pause between two looks at what is under way; an activation takes 1–10 s. */
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  /** First and longest pause after a refusal (429, 5xx, no answer), with full jitter. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** 412s, or updates that were undone by somebody, before it is said that somebody else edits the function. */
  readonly editsMax: number;
  /** A role that was made a moment ago cannot be assumed yet; IAM takes some ten seconds to tell everybody. */
  readonly roleTriesMax: number;
  /** K3: the longest that a request without an answer may still land after it was given up. */
  readonly quietMs: number;
  /** How long something that was made may not be seen yet. */
  readonly visibleMs: number;
  /** How long a review trusts what it has read of roles and of the account. */
  readonly factsMs: number;
  /** Pause between two looks at the crossings; an alias for people may come some seconds late. */
  readonly goLiveMs: number;
};

export const LAMBDA_LIMITS: LambdaLimits = {
  controlCallsPerSecond: 15,
  readsPerSecond: 80,
  functionsAtOnce: 32,
  pollMinMs: 200,
  pollMaxMs: 2_000,
  backoffMinMs: 200,
  backoffMaxMs: 10_000,
  editsMax: 5,
  roleTriesMax: 8,
  quietMs: 5_000,
  visibleMs: 1_000,
  factsMs: 60_000,
  goLiveMs: 2_000,
};

/** What a plan expects from the last write of a function until its version is active. */
export const ACTIVATION_MS = 5_000;
/** The same where environments are kept warm: AWS starts some hundred a minute. */
export const PROVISIONING_MS = 120_000;
