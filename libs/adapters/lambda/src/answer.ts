/** What AWS answers to a call, told apart: the message's matter, or the host's (docs/decisions/0100-lambda.md). */
import type { InvokeCommandOutput } from "@aws-sdk/client-lambda";
import type { CallOutcome, CallResponse } from "./call.ts";

export type Answer =
  | { readonly type: "outcomes"; readonly outcomes: readonly CallOutcome[] }
  | {
      readonly type: "refused";
      readonly reason: string;
      readonly place: string;
      readonly message: string;
    }
  /** The function gave no answer: it crashed, or was ended. It is one of its messages. */
  | { readonly type: "broke"; readonly reason: string; readonly message: string }
  | { readonly type: "throttled"; readonly message: string }
  | { readonly type: "too-large" };

/** No message is to blame. The call may be made again. */
export class FunctionCallError extends Error {
  override name = "FunctionCallError";
}

/** Of so many messages. Throws `FunctionCallError` where it is none. */
export function readAnswer({ FunctionError, Payload }: InvokeCommandOutput, messages: number): Answer {
  const text = Payload?.transformToString() ?? "";
  if (FunctionError !== undefined) return brokenBy(text);
  const response = parse(text) as Partial<Record<"outcomes" | "refused", unknown>> | undefined;
  if (isRefusal(response)) return { type: "refused", ...response.refused };
  const outcomes: unknown = response?.outcomes;
  if (!Array.isArray(outcomes) || outcomes.length !== messages || !outcomes.every(isOutcome))
    throw new FunctionCallError(
      `the function's answer is none to ${messages} messages: ${text.slice(0, 200)}; is it one of ours?`,
    );
  return { type: "outcomes", outcomes };
}

const reasons: Readonly<Record<string, string>> = {
  "Sandbox.Timedout": "TIMEOUT",
  "Runtime.OutOfMemory": "OUT_OF_MEMORY",
  "Function.ResponseSizeTooLarge": "RESULT_TOO_LARGE",
};

function brokenBy(text: string): Answer {
  const error = (parse(text) ?? {}) as { readonly errorType?: unknown; readonly errorMessage?: unknown };
  const type = typeof error.errorType === "string" ? error.errorType : "";
  const message = typeof error.errorMessage === "string" ? error.errorMessage : text;
  // AWS has no type for it everywhere, and its text is the same for years.
  const timedOut = /\btimed out after\b/i.test(message);
  return {
    type: "broke",
    reason: timedOut ? "TIMEOUT" : (reasons[type] ?? "FUNCTION_ERROR"),
    message: `the function ended: ${[type, message.slice(0, 1_000)].filter((part) => part !== "").join(": ")}`,
  };
}

/** Of what the SDK threw. Undefined: the version is not there. Throws `FunctionCallError`. */
export function readError(error: unknown, arn: string): Answer | undefined {
  const { name, message, $metadata } = error as {
    readonly name?: string;
    readonly message?: string;
    readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  };
  const status = $metadata?.httpStatusCode;
  if (status === 429 || name === "TooManyRequestsException")
    return { type: "throttled", message: `AWS refuses more calls now: ${message ?? ""}` };
  if (status === 413) return { type: "too-large" };
  if (name === "ResourceNotFoundException") return undefined;
  const request = $metadata?.requestId === undefined ? "" : ` (request ${$metadata.requestId})`;
  throw new FunctionCallError(`${arn}: ${name ?? "Error"}: ${message ?? String(error)}${request}`, {
    cause: error,
  });
}

function parse(text: string): object | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

type Refusal = Extract<CallResponse, { refused: unknown }>;

function isRefusal(response: object | undefined): response is Refusal {
  const refused = (response as Partial<Refusal> | undefined)?.refused;
  return [refused?.reason, refused?.place, refused?.message].every((text) => typeof text === "string");
}

function isOutcome(value: unknown): value is CallOutcome {
  if (typeof value !== "object" || value === null) return false;
  if ("outputs" in value)
    return Array.isArray(value.outputs) && value.outputs.every((text) => typeof text === "string");
  const { reason, message, retryable } = value as Partial<Record<string, unknown>>;
  return typeof reason === "string" && typeof message === "string" && typeof retryable === "boolean";
}
