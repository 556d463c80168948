/**
 * The one error that crosses an edge of Greco: what is wrong, where, what to do next. Handlers throw it; the
 * edge maps its kind to a gRPC status and details (fault-status.ts), the same over gRPC, gRPC-Web and Connect.
 *
 * F1. Each fault carries exactly one reason, which becomes exactly one ErrorInfo.
 * F2. A fault says nothing of the inside: an internal one shows a correlation id, and its cause goes to the log.
 */
export type FaultKind =
  | "invalid"
  | "notFound"
  | "exists"
  | "aborted"
  | "precondition"
  | "denied"
  | "unauthenticated"
  | "exhausted"
  | "unavailable"
  | "outOfRange"
  | "unimplemented"
  | "deadline"
  | "cancelled"
  | "unknown"
  | "internal";

/** A field of the request that is wrong. `field` is a path: `draft.title`, `changes[3].entity`. */
export type FieldViolation = { readonly field: string; readonly description: string };

/** A state that forbids the call. `type` is UPPER_SNAKE_CASE, `subject` the resource. */
export type PreconditionViolation = {
  readonly type: string;
  readonly subject: string;
  readonly description: string;
};

export type FaultDetails = {
  readonly violations?: readonly FieldViolation[];
  readonly preconditions?: readonly PreconditionViolation[];
  /** Facts for programs; keys in lowerCamelCase. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
};

export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  /** UPPER_SNAKE_CASE, stable: programs and `greco explain` go by it. */
  readonly reason: string;
  readonly violations: readonly FieldViolation[];
  readonly preconditions: readonly PreconditionViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;

  constructor(kind: FaultKind, reason: string, message: string, details: FaultDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.reason = reason;
    this.violations = details.violations ?? [];
    this.preconditions = details.preconditions ?? [];
    this.metadata = details.metadata ?? {};
    this.retryAfterMs = details.retryAfterMs;
  }
}

type Extra = Pick<FaultDetails, "metadata" | "cause">;

/** One function a kind, so that each fault has what its kind needs. */
export const fault = {
  invalid: (reason: string, message: string, violations: readonly FieldViolation[] = [], extra: Extra = {}) =>
    new Fault("invalid", reason, message, { violations, ...extra }),

  notFound: (reason: string, resource: string, message: string, extra: Extra = {}) =>
    new Fault("notFound", reason, message, { ...extra, metadata: { resource, ...extra.metadata } }),

  exists: (reason: string, resource: string, message: string, extra: Extra = {}) =>
    new Fault("exists", reason, message, { ...extra, metadata: { resource, ...extra.metadata } }),

  /** Somebody else was faster: a stale etag, a lost compare-and-swap. Read again, then repeat. */
  aborted: (reason: string, message: string, extra: Extra = {}) =>
    new Fault("aborted", reason, message, extra),

  precondition: (
    reason: string,
    message: string,
    preconditions: readonly PreconditionViolation[],
    extra: Extra = {},
  ) => new Fault("precondition", reason, message, { preconditions, ...extra }),

  denied: (missingRole: string, message: string, extra: Extra = {}) =>
    new Fault("denied", "MISSING_ROLE", message, { ...extra, metadata: { missingRole, ...extra.metadata } }),

  unauthenticated: (reason: string, message: string, extra: Extra = {}) =>
    new Fault("unauthenticated", reason, message, extra),

  /** `retryAfterMs` undefined: waiting does not help, the call itself asks for too much. */
  exhausted: (reason: string, message: string, retryAfterMs: number | undefined, extra: Extra = {}) =>
    new Fault("exhausted", reason, message, {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...extra,
    }),

  /** Nothing took effect: the same call may be sent again. */
  unavailable: (reason: string, message: string, extra: Extra & { retryAfterMs?: number } = {}) =>
    new Fault("unavailable", reason, message, extra),

  /** A position that is not there any more, or not yet: a compacted revision, an entry below retention. */
  outOfRange: (reason: string, message: string, extra: Extra = {}) =>
    new Fault("outOfRange", reason, message, extra),

  unimplemented: (reason: string, message: string, extra: Extra = {}) =>
    new Fault("unimplemented", reason, message, extra),

  deadline: (reason: string, message: string, extra: Extra = {}) =>
    new Fault("deadline", reason, message, extra),

  cancelled: (reason: string, message: string, extra: Extra = {}) =>
    new Fault("cancelled", reason, message, extra),

  /** It may or may not have taken effect: read before repeating. */
  unknown: (reason: string, message: string, extra: Extra = {}) =>
    new Fault("unknown", reason, message, extra),

  /** F2: what the caller sees is the correlation id alone. */
  internal: (cause: unknown, correlationId?: string) =>
    new Fault(
      "internal",
      "INTERNAL",
      correlationId === undefined
        ? "an unexpected error; it is in the service's log"
        : `an unexpected error; look for ${correlationId} in the service's log`,
      { cause, ...(correlationId === undefined ? {} : { metadata: { correlationId } }) },
    ),
} as const;
