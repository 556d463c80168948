/** The registry's errors, passed on as they are: the caller of make-it-so sees what freeze refused, and why. */
import { GrecoError, type CodeName } from "@greco/sdk";
import { Fault, type FaultKind } from "@greco/service-kit";

const KINDS: Partial<Record<CodeName, FaultKind>> = {
  INVALID_ARGUMENT: "invalid",
  NOT_FOUND: "notFound",
  ALREADY_EXISTS: "exists",
  ABORTED: "aborted",
  FAILED_PRECONDITION: "precondition",
  PERMISSION_DENIED: "denied",
  RESOURCE_EXHAUSTED: "exhausted",
  UNAVAILABLE: "unavailable",
  OUT_OF_RANGE: "outOfRange",
  UNIMPLEMENTED: "unimplemented",
  DEADLINE_EXCEEDED: "deadline",
  UNKNOWN: "unknown",
};

export function relayed(error: unknown): unknown {
  if (!(error instanceof GrecoError)) return error;
  const kind = KINDS[error.code];
  if (kind === undefined) return error;
  const { reason, message, violations, preconditions, metadata, retryAfterMs } = error;
  return new Fault(kind, reason === "" ? error.code : reason, message, {
    ...{ violations, preconditions, metadata, cause: error },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The registry understood, and will answer the same next time. */
export function isRefusal(error: unknown): error is GrecoError {
  return (
    error instanceof GrecoError &&
    ["INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "PERMISSION_DENIED"].includes(
      error.code,
    )
  );
}
