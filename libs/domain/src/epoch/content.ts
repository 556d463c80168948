/**
 * What the bindings of the built-in kinds hold. Conductors write them, ingress and runtimes read them.
 * A binding's content is the canonical JSON of one of these.
 */

/** Kind `stream`. */
export type StreamContent = {
  readonly name: string;
  /** JSON Schema of the payload. */
  readonly schema: unknown;
  /** Top-level payload field whose value is the message's key; absent: the publisher's key. */
  readonly key?: string;
  /** Lanes that each ingress opens for it, 1–64. */
  readonly lanes: number;
  /** Undefined: for ever. */
  readonly retentionMs?: number;
  /** Subjects that may publish and subscribe; absent: every authenticated one. */
  readonly access?: { readonly publish?: readonly string[]; readonly subscribe?: readonly string[] };
};

/** Kind `table`. */
export type TableContent = {
  readonly name: string;
  /** The row field that is the key; its values are strings and unique. */
  readonly key: string;
  /** JSON Schema of a row. */
  readonly schema: unknown;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
};

/** Kind `query`. Either `select` (with an optional `where`), or `handler`. */
export type QueryContent = {
  readonly name: string;
  /** Stream names; identities are resolved through the model at the same epoch. */
  readonly from: string;
  readonly to: string;
  readonly tables: readonly string[];
  /** CEL → bool over `event` and `tables`. Absent: every message. */
  readonly where?: string;
  /** Output field → CEL. */
  readonly select?: Readonly<Record<string, string>>;
  /** Source of an ES module that exports `handle(event, context)`. Its result: undefined, a value, or an array. */
  readonly handler?: string;
  readonly onError: { readonly retries: number; readonly then: "dead-letter" | "skip" };
  readonly timeoutMs: number;
  /** JSON Schemas that the expressions were checked against: streams' `from`, tables by name. */
  readonly schemas: { readonly from: unknown; readonly tables: Readonly<Record<string, unknown>> };
  /** It runs as this function, which holds the expressions or the handler, and the tables; `tables` is empty here. */
  readonly lambda?: LambdaContent;
};

/** A version of a function of AWS Lambda. */
export type LambdaContent = {
  /** Of a numbered version, never of an alias or of $LATEST: `arn:aws:lambda:eu-west-1:123456789012:function:f:7`. */
  readonly qualifiedArn: string;
  /** Of its zip, as AWS gives it: base64. */
  readonly codeSha256: string;
  /** Of its configuration (memory, time, environment, role, architecture): hex. */
  readonly configHash: string;
  /** Calls that one runtime has under way at most. */
  readonly concurrency: number;
  /** Messages of one call at most. */
  readonly batch: number;
  /** As the query says; for the conductor, which takes back behind the crossing what is too much. Absent: none. */
  readonly reservedConcurrency?: number;
  readonly provisionedConcurrency?: number;
};

/** What stands in the built-in stream `dead-letters`. `payload` is the input as text. */
export type DeadLetterPayload = {
  readonly query: string;
  readonly lane: string;
  readonly seq: number;
  readonly epoch: number;
  readonly reason: string;
  readonly message: string;
  readonly attempts: number;
  /** Set when an operator gave the position up. */
  readonly by?: string;
  readonly payload: string;
};
