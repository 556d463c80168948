/** What became of a handler's call that gave no result. */
import { JsonError } from "@greco/expression/json";
import { describeError } from "./handler-program.ts";
import { ResultError } from "./json-result.ts";
import type { Failure } from "./protocol.ts";

/** A call that takes too long may be the outside's fault, and so may an error: another attempt may help. */
export function timedOut(timeoutMs: number): Failure {
  return { reason: "TIMEOUT", message: `took longer than its ${timeoutMs} ms`, retryable: true };
}

export function handlerFailure(error: unknown): Failure {
  if (error instanceof JsonError) {
    return { reason: "BAD_PAYLOAD", message: `the payload: ${error.message}`, retryable: false };
  }
  if (error instanceof ResultError) return { reason: "BAD_RESULT", message: error.message, retryable: false };
  return { reason: "HANDLER_THREW", message: describeError(error), retryable: true };
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
