/**
 * The one map from a fault to a gRPC status (STYLE 10), and from anything thrown to a fault.
 *
 * F1. Exactly one ErrorInfo in each status, domain `greco.dev`.
 * F3. A status fits into the trailers that every client takes, and into a header, whatever the text in it.
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
import { Metadata } from "@grpc/grpc-js";
import { InvalidIdError } from "@greco/domain/model";
import { CompactedError, StoreLimitError, StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { Fault, fault, type FaultKind, type FieldViolation, type PreconditionViolation } from "./fault.ts";

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
  const { reason, metadata } = given;
  const details = [
    detail(
      ErrorInfoSchema,
      create(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata: bounded(metadata) }),
    ),
  ];
  if (given.violations.length > 0) {
    const fieldViolations = fitting(given.violations, ({ field, description }) => ({
      field: short(field),
      description: short(description),
    }));
    details.push(detail(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  if (given.preconditions.length > 0) {
    const violations = fitting(given.preconditions, ({ type, subject, description }) => ({
      type: short(type),
      subject: short(subject),
      description: short(description),
    }));
    details.push(detail(PreconditionFailureSchema, create(PreconditionFailureSchema, { violations })));
  }
  if (given.retryAfterMs !== undefined)
    details.push(
      detail(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationOfMs(given.retryAfterMs) })),
    );
  return details;
}

/** F3: as many as fit, the first ones; the last says how many were left out. */
function fitting<T, V extends { description: string }>(all: readonly T[], toViolation: (each: T) => V): V[] {
  const kept: V[] = [];
  let size = 0;
  for (const each of all) {
    const violation = toViolation(each);
    size += Object.values(violation).reduce((sum, text) => sum + Buffer.byteLength(String(text)), 8);
    if (size > VIOLATIONS_BYTES_MAX && kept.length > 0) {
      const last = kept.at(-1);
      if (last !== undefined) last.description += ` (and ${all.length - kept.length} more, left out)`;
      break;
    }
    kept.push(violation);
  }
  return kept;
}

function bounded(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata)
      .slice(0, METADATA_MAX)
      .map(([key, value]) => [key, short(value)]),
  );
}

/** F3: cut to length, and without lone surrogates, which neither protobuf nor a header can carry. */
function short(text: string): string {
  const whole = text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
  return whole.toWellFormed();
}

/** Clients take 8 KiB of trailers for granted, no more: base64 makes 4 bytes of 3. */
const VIOLATIONS_BYTES_MAX = 3_000;
const METADATA_MAX = 10;
const TEXT_MAX = 600;

function durationOfMs(ms: number) {
  const whole = Math.max(0, Math.ceil(ms));
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(whole / 1000)),
    nanos: (whole % 1000) * 1_000_000,
  });
}

export const codeOf = (given: Fault): Code => codes[given.kind];

/** A fault as grpc-js sends it. */
export function statusOf(given: Fault): { code: number; details: string; metadata: Metadata } {
  const message = short(given.message);
  const code = codeOf(given);
  const details = faultDetails(given).map(({ desc, value }) => anyPack(desc, value));
  const metadata = new Metadata();
  metadata.set(
    STATUS_DETAILS_KEY,
    Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code, message, details }))),
  );
  return { code, details: message, metadata };
}

/** What a call of another service failed with: the SDK's GrecoError has this shape. */
export type WireError = {
  readonly code: string;
  readonly reason: string;
  readonly message: string;
  readonly violations: readonly FieldViolation[];
  readonly preconditions: readonly PreconditionViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;
};

/**
 * For a service that answers with what another one said to it. That service's refusal of *our* token is not the
 * caller's fault, and becomes an internal one.
 */
export function passOn(error: WireError): Fault {
  const kind = kindsByCode.get(error.code) ?? "internal";
  if (kind === "internal" || kind === "unauthenticated" || kind === "denied") return fault.internal(error);
  const { reason, message, violations, preconditions, metadata, retryAfterMs } = error;
  return new Fault(kind, reason === "" ? "UPSTREAM" : reason, message, {
    violations,
    preconditions,
    metadata,
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

const kindsByCode = new Map<string, FaultKind>(
  (Object.entries(codes) as [FaultKind, Code][]).flatMap(([kind, code]) => {
    const name = Object.entries(Code).find(([, each]) => each === code)?.[0];
    return name === undefined ? [] : [[name, kind]];
  }),
);

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
    return fault.exhausted(
      "STORE_LIMIT",
      `too large for one transaction of the store: ${error.message}`,
      undefined,
      {
        cause: error,
      },
    );
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
