/** What a call fails with: the server's status and its details, decoded. */
import { fromBinary, type DescMessage, type DescService, type MessageShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@greco/contracts/google/rpc/code";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "@greco/contracts/google/rpc/error_details";
import { StatusSchema, type Status } from "@greco/contracts/google/rpc/status";
import type { ServiceError } from "@grpc/grpc-js";

/** `NOT_FOUND`, `UNAVAILABLE`, … */
export type CodeName = keyof typeof Code;

export type GrecoErrorParts = {
  readonly code: CodeName;
  /** Of its ErrorInfo, as `STALE_ETAG`; empty when the server is not one of Greco's. */
  readonly reason: string;
  readonly message: string;
  /** Fields of the request that are wrong. */
  readonly violations: readonly { readonly field: string; readonly description: string }[];
  /** States that forbid the call; a veto is one of these a finding. */
  readonly preconditions: readonly {
    readonly type: string;
    readonly subject: string;
    readonly description: string;
  }[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;
};

export class GrecoError extends Error implements GrecoErrorParts {
  override readonly name = "GrecoError";
  readonly code: CodeName;
  readonly reason: string;
  readonly violations: GrecoErrorParts["violations"];
  readonly preconditions: GrecoErrorParts["preconditions"];
  readonly metadata: GrecoErrorParts["metadata"];
  readonly retryAfterMs: number | undefined;

  constructor(parts: GrecoErrorParts, cause?: unknown) {
    super(parts.message, cause === undefined ? undefined : { cause });
    this.code = parts.code;
    this.reason = parts.reason;
    this.violations = parts.violations;
    this.preconditions = parts.preconditions;
    this.metadata = parts.metadata;
    this.retryAfterMs = parts.retryAfterMs;
  }
}

const codeNames = new Map<number, CodeName>(
  Object.entries(Code).map(([name, number]) => [number, name as CodeName]),
);

/** Whom the error is about. */
export type Called = { readonly address: string; readonly service: DescService };

/** Who serves what, as people say it. */
const SERVERS: Readonly<Record<string, string>> = {
  "greco.registry.v1.RegistryService": "registry",
  "greco.commit.v1.CommitService": "coordinator",
  "greco.conductor.v1.ConductorService": "coordinator",
  "greco.conductor.v1.ColdBootService": "coordinator",
  "greco.dataplane.v1.IngressService": "ingress",
};

/** Of what no server has said: what grpc-js writes there is for its own developers. */
function connectionMessage(
  code: CodeName,
  details: string,
  { address, service }: Called,
): string | undefined {
  const server = `the ${SERVERS[service.typeName] ?? service.name}`;
  if (code === "DEADLINE_EXCEEDED") return `${server} at ${address} has not answered in time`;
  if (code !== "UNAVAILABLE") return undefined;
  if (details.startsWith("Name resolution failed"))
    return `${server} does not answer at ${address}: there is no such host`;
  const why = /\bE[A-Z]{3,}\b/.exec(details)?.[0];
  return `${server} does not answer at ${address}${why === undefined ? "" : ` (${why})`}`;
}

/** A grpc-js error as ours. */
export function fromServiceError(error: ServiceError, called?: Called): GrecoError {
  const status = decodeStatus(error.metadata?.get("grpc-status-details-bin")[0]);
  const info = detailOf(status, ErrorInfoSchema);
  const retryDelay = detailOf(status, RetryInfoSchema)?.retryDelay;
  const code = codeNames.get(error.code) ?? "UNKNOWN";
  const unsaid =
    status === undefined && called !== undefined ? connectionMessage(code, error.details, called) : undefined;
  const parts: GrecoErrorParts = {
    code,
    reason: info?.reason ?? "",
    message: unsaid ?? error.details,
    violations: (detailOf(status, BadRequestSchema)?.fieldViolations ?? []).map(({ field, description }) => ({
      field,
      description,
    })),
    preconditions: (detailOf(status, PreconditionFailureSchema)?.violations ?? []).map(
      ({ type, subject, description }) => ({ type, subject, description }),
    ),
    metadata: info?.metadata ?? {},
    retryAfterMs:
      retryDelay === undefined ? undefined : Number(retryDelay.seconds) * 1000 + retryDelay.nanos / 1_000_000,
  };
  return new GrecoError(parts, unsaid === undefined ? undefined : error);
}

function decodeStatus(bytes: string | Buffer | undefined): Status | undefined {
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    return fromBinary(StatusSchema, bytes);
  } catch (_notOurs) {
    return undefined;
  }
}

function detailOf<Desc extends DescMessage>(
  status: Status | undefined,
  schema: Desc,
): MessageShape<Desc> | undefined {
  for (const any of status?.details ?? []) {
    const detail = anyUnpack(any, schema);
    if (detail !== undefined) return detail;
  }
  return undefined;
}
