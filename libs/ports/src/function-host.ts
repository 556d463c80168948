/**
 * Where a query's program runs. Worker threads | Lambda. A call's outcome is a value: one bad message
 * must never cost its lane (§5 Runtime).
 */

/** A program, resolved: the query's binding with those of the tables that it looks up. */
export type Program = {
  /** Names the content: the same id is the same program for ever. */
  readonly id: string;
  /** The query binding's content and the tables' contents, JSON texts. */
  readonly query: string;
  readonly tables: Readonly<Record<string, string>>;
};

/** One input. `context` is what a handler sees beside the event. */
export type Invocation = {
  readonly payload: Uint8Array;
  readonly key: string;
  /** The same for each attempt at one input: for calls to the outside. */
  readonly idempotencyKey: string;
  readonly context: { readonly lane: string; readonly seq: number; readonly epoch: number };
};

export type Output = { readonly key: string; readonly payload: Uint8Array };

export type Outcome =
  | { readonly type: "outputs"; readonly outputs: readonly Output[] }
  /** The message's own fault, or the program's: worth another attempt only if `retryable`. */
  | {
      readonly type: "failed";
      readonly reason: string;
      readonly message: string;
      readonly retryable: boolean;
    };

export interface FunctionHost extends AsyncDisposable {
  /** Compiles and warms; idempotent. `ProgramLoadError` when the program cannot be loaded at all. */
  load(program: Program, signal: AbortSignal): Promise<void>;
  /** One outcome for each invocation, in their order. The program must be loaded. */
  invoke(
    programId: string,
    invocations: readonly Invocation[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]>;
  /** The program is not needed any more. */
  unload(programId: string): void;
}

export class ProgramLoadError extends Error {
  override name = "ProgramLoadError";
  readonly reason: string;
  /** The field of the query that is to blame: `where`, `select.pay`, `handler`, `tables.bands`. Empty: none of them. */
  readonly place: string;
  constructor(reason: string, place: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.place = place;
  }
}
