/**
 * The one map from a fault to a gRPC status (STYLE 10), and from anything thrown to a fault.
 *
 * F1. Exactly one ErrorInfo in each status, domain `greco.dev`.
 */
import { create, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { anyPack, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "@greco/contracts/google/rpc/error_details";
import { Code } from "@greco/contracts/google/rpc/code";
import { StatusSchema } from "@greco/contracts/google/rpc/status";
import { InvalidIdError } from "@greco/domain/model";
import { CompactedError, StoreLimitError, StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { Fault, fault, type FaultKind } from "./fault.ts";

export const ERROR_DOMAIN = "greco.dev";
export const STATUS_DETAILS_KEY = "grpc-status-details-bin";

const codes = {
  invalid: Code.INVALID_ARGUMENT,
  notFound: Code.NOT_FOUND,
  exists: Code.ALREADY_EXISTS,
  aborted: Code.ABORTED,
  precondition: Code.FAILED_PRECONDITION,
  denied: Code.PERMISSION_DENIED,
  unauthenticated: Code.UNAUTHENTICATED,
  exhausted: Code.RESOURCE_EXHAUSTED,
  unavailable: Code.UNAVAILABLE,
  outOfRange: Code.OUT_OF_RANGE,
  unimplemented: Code.UNIMPLEMENTED,
  deadline: Code.DEADLINE_EXCEEDED,
  cancelled: Code.CANCELLED,
  unknown: Code.UNKNOWN,
  internal: Code.INTERNAL,
} satisfies Record<FaultKind, Code>;

export type FaultDetail = { readonly desc: DescMessage; readonly value: MessageShape<DescMessage> };

const detail = <Desc extends DescMessage>(desc: Desc, value: MessageShape<Desc>): FaultDetail => ({
  desc,
  value,
});

/** The details of a fault in their order on the wire; the first is its ErrorInfo (F1). */
export function faultDetails(given: Fault): readonly FaultDetail[] {
  const details = [
    detail(
      ErrorInfoSchema,
      create(ErrorInfoSchema, {
        reason: given.reason,
        domain: ERROR_DOMAIN,
        metadata: { ...given.metadata },
      }),
    ),
  ];
  if (given.violations.length > 0)
    details.push(
      detail(
        BadRequestSchema,
        create(BadRequestSchema, { fieldViolations: given.violations.map((v) => ({ ...v })) }),
      ),
    );
  if (given.preconditions.length > 0)
    details.push(
      detail(
        PreconditionFailureSchema,
        create(PreconditionFailureSchema, { violations: given.preconditions.map((v) => ({ ...v })) }),
      ),
    );
  if (given.retryAfterMs !== undefined)
    details.push(
      detail(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationOfMs(given.retryAfterMs) })),
    );
  return details;
}

function durationOfMs(ms: number) {
  const whole = Math.max(0, Math.ceil(ms));
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(whole / 1000)),
    nanos: (whole % 1000) * 1_000_000,
  });
}

export const codeOf = (given: Fault): Code => codes[given.kind];

/** The bytes of `grpc-status-details-bin`. */
export function encodeStatusDetails(given: Fault): Uint8Array {
  const status = create(StatusSchema, {
    code: codeOf(given),
    message: given.message,
    details: faultDetails(given).map(({ desc, value }) => anyPack(desc, value)),
  });
  return toBinary(StatusSchema, status);
}

/**
 * Whatever was thrown, as a fault; what nobody foresaw is an internal one. An abort of the call itself is told
 * by the signal's reason.
 */
export function toFault(error: unknown, signal?: AbortSignal): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof InvalidIdError)
    return fault.invalid("INVALID_ID", error.message, [{ field: error.what, description: error.message }]);
  if (error instanceof StoreUnavailableError)
    return fault.unavailable("STORE_UNAVAILABLE", "the store cannot be reached; nothing changed: try again", {
      cause: error,
    });
  if (error instanceof StoreUnknownError)
    return fault.unknown(
      "OUTCOME_UNKNOWN",
      "the store did not say whether it took effect: read the resource, or repeat with the same request_id",
      { cause: error },
    );
  if (error instanceof StoreLimitError)
    return fault.exhausted("STORE_LIMIT", `too large for one transaction of the store: ${error.message}`, 0, {
      cause: error,
    });
  if (error instanceof CompactedError)
    return fault.outOfRange("REVISION_COMPACTED", error.message, {
      metadata: { compactRevision: String(error.compactRevision) },
    });
  if (signal?.aborted === true && (error === signal.reason || isAbortError(error)))
    return signal.reason instanceof Fault
      ? signal.reason
      : fault.cancelled("CANCELLED", "the call was cancelled");
  return fault.internal(error);
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}
