/** What a runtime and a function say to each other (docs/decisions/0100-lambda.md, "The call"). */

/** The version of this format; a function refuses one that it does not know. */
export const CALL_FORMAT = 1;

export type CallRequest = {
  readonly greco: typeof CALL_FORMAT;
  /** Of all its messages: a call never spans a marker. */
  readonly epoch: number;
  readonly query: string;
  /** None: only to load the program. */
  readonly messages: readonly CallMessage[];
};

export type CallMessage = {
  readonly payload: string;
  readonly key: string;
  /** The idempotency key, the same for each attempt. */
  readonly id: string;
  readonly lane: string;
  readonly seq: number;
};

export type CallResponse =
  /** One for each message, in their order. */
  | { readonly outcomes: readonly CallOutcome[] }
  /** The program does not load. */
  | { readonly refused: { readonly reason: string; readonly place: string; readonly message: string } };

export type CallOutcome =
  | { readonly outputs: readonly string[] }
  | { readonly reason: string; readonly message: string; readonly retryable: boolean };
