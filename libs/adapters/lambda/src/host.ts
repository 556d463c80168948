/**
 * `FunctionHost` on AWS Lambda. A program is a published version of a function, made by a conductor before its epoch;
 * here it is only called. What a function does to its process costs only the message that did it: a call that got no
 * answer is made again in halves (at least once, with the same idempotency keys).
 *
 * An Invoke whose answer is lost may have run, so the SDK repeats none: the runtime does, where it counts.
 */
import type { LambdaClient } from "@aws-sdk/client-lambda";
import {
  type FunctionHost,
  type Invocation,
  type Log,
  type Outcome,
  type Program,
  ProgramLoadError,
} from "@greco/ports";
import { type Answer, FunctionCallError } from "./answer.ts";
import { type FunctionBinding, readBinding } from "./binding.ts";
import { createLambdaClient, type LambdaAccess } from "./client.ts";
import { FunctionVersion } from "./function-version.ts";
import { LAMBDA_LIMITS, type LambdaLimits } from "./limits.ts";
import {
  badPayload,
  encode,
  type Failed,
  outcomeOf,
  type Piece,
  piecesOf,
  requestOf,
  tooLarge,
} from "./requests.ts";
import { together, unlessAborted } from "./waiting.ts";

export type LambdaFunctionHostOptions = {
  readonly access: LambdaAccess;
  readonly log: Log;
  readonly limits?: Partial<LambdaLimits>;
};

export function createLambdaFunctionHost({ access, log, limits }: LambdaFunctionHostOptions): FunctionHost {
  const all = { ...LAMBDA_LIMITS, ...limits };
  const client = createLambdaClient(access, {
    maxSockets: all.sockets,
    requestTimeoutMs: all.requestMs,
    maxAttempts: 1,
  });
  return new LambdaFunctionHost(client, log, all);
}

type Hosted = {
  readonly binding: FunctionBinding;
  readonly version: FunctionVersion;
  /** Undefined once it is done. */
  loading: Promise<void> | undefined;
};

class LambdaFunctionHost implements FunctionHost {
  readonly #client: LambdaClient;
  readonly #log: Log;
  readonly #limits: LambdaLimits;
  readonly #stop = new AbortController();
  readonly #programs = new Map<string, Hosted>();

  constructor(client: LambdaClient, log: Log, limits: LambdaLimits) {
    this.#client = client;
    this.#log = log;
    this.#limits = limits;
  }

  async load(program: Program, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#stop.signal.throwIfAborted();
    const { loading } = this.#programs.get(program.id) ?? this.#add(program);
    if (loading !== undefined) await unlessAborted(loading, signal);
  }

  #add(program: Program): Hosted {
    const binding = readBinding(program);
    const version = this.#versionOf(binding);
    const loading = this.#probe(binding, version);
    const hosted: Hosted = { binding, version, loading };
    this.#programs.set(program.id, hosted);
    loading.then(
      () => (hosted.loading = undefined),
      () => {
        if (this.#programs.get(program.id) === hosted) this.#programs.delete(program.id);
      },
    );
    return hosted;
  }

  /** Two programs may be one version: what differs between them is not the function's. */
  #versionOf(binding: FunctionBinding): FunctionVersion {
    const same = this.#programs
      .values()
      .find((other) => other.binding.qualifiedArn === binding.qualifiedArn)?.version;
    if (same === undefined)
      return new FunctionVersion({ client: this.#client, log: this.#log, life: this.#stop.signal }, binding);
    same.concurrency = binding.concurrency;
    return same;
  }

  /** A call without messages: loads the program there, and warms it. */
  async #probe({ query, qualifiedArn }: FunctionBinding, version: FunctionVersion): Promise<void> {
    const answer = await version.call(requestOf(query, 0, []), 0, this.#stop.signal);
    switch (answer.type) {
      case "outcomes":
        return;
      case "refused":
        throw new ProgramLoadError(answer.reason, answer.place, answer.message);
      case "broke":
        throw new ProgramLoadError(answer.reason, "", `the program does not load: ${answer.message}`);
      case "throttled":
      case "too-large":
        throw new FunctionCallError(`${qualifiedArn} does not answer: ${textOf(answer)}`);
    }
  }

  async invoke(
    programId: string,
    invocations: readonly Invocation[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]> {
    signal.throwIfAborted();
    this.#stop.signal.throwIfAborted();
    const hosted = this.#programs.get(programId);
    if (hosted === undefined) throw new Error(`program ${programId} is not loaded; call load first`);
    if (hosted.loading !== undefined) await unlessAborted(hosted.loading, signal);
    const outcomes = new Array<Outcome>(invocations.length);
    const messages = invocations.flatMap((invocation, index) => {
      const encoded = encode(invocation, index);
      if (encoded === undefined) outcomes[index] = badPayload;
      return encoded ?? [];
    });
    const pieces = piecesOf(messages, hosted.binding.batch);
    const run = new Run(hosted, invocations, outcomes, this.#limits);
    await together(pieces, (piece, either) => run.call(piece, either), [signal, this.#stop.signal]);
    return outcomes;
  }

  unload(programId: string): void {
    // What was asked before is still answered.
    this.#programs.delete(programId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort(new Error("the function host is closed"));
      this.#client.destroy();
    }
    return Promise.resolve();
  }
}

/** One invocation of the host, in as many calls as it takes. */
class Run {
  readonly #hosted: Hosted;
  readonly #invocations: readonly Invocation[];
  readonly #outcomes: Outcome[];
  readonly #limits: LambdaLimits;

  constructor(hosted: Hosted, invocations: readonly Invocation[], outcomes: Outcome[], limits: LambdaLimits) {
    this.#hosted = hosted;
    this.#invocations = invocations;
    this.#outcomes = outcomes;
    this.#limits = limits;
  }

  async call(piece: Piece, signal: AbortSignal): Promise<void> {
    const { binding, version } = this.#hosted;
    const request = requestOf(binding.query, piece[0]?.epoch ?? 0, piece);
    const bytes = Buffer.byteLength(request);
    if (bytes > this.#limits.requestBytes)
      return this.#split(piece, tooLarge(bytes, this.#limits.requestBytes), signal);
    const answer = await version.call(request, piece.length, signal);
    switch (answer.type) {
      case "outcomes":
        for (const [at, outcome] of answer.outcomes.entries()) {
          const index = piece[at]?.index ?? 0;
          this.#outcomes[index] = outcomeOf(outcome, this.#invocations[index]?.key ?? "");
        }
        return;
      case "broke":
        return this.#split(piece, failed(answer.reason, answer.message), signal);
      case "too-large":
        return this.#split(piece, tooLarge(bytes, this.#limits.requestBytes), signal);
      case "throttled":
        for (const { index } of piece) this.#outcomes[index] = failed("THROTTLED", answer.message);
        return;
      case "refused":
        // It loaded before: the function's surroundings are to blame, and no message.
        throw new FunctionCallError(`${binding.qualifiedArn} has stopped to load: ${textOf(answer)}`);
    }
  }

  /** Of one message: it is the guilty one. */
  async #split(piece: Piece, failure: Failed, signal: AbortSignal): Promise<void> {
    const [first, second] = piece;
    if (first === undefined) return;
    if (second === undefined) {
      this.#outcomes[first.index] = failure;
      return;
    }
    const middle = piece.length >> 1;
    const halves = [piece.slice(0, middle), piece.slice(middle)];
    await together(halves, (half, either) => this.call(half, either), [signal]);
  }
}

function failed(reason: string, message: string): Failed {
  return { type: "failed", reason, message, retryable: true };
}

function textOf(answer: Answer): string {
  return "message" in answer ? answer.message : answer.type;
}
