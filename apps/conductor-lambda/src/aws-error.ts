/** What an SDK threw, as what it means to who asks. */
import { OPERATIONS, type OperationName } from "./operations.ts";
import { RegionError, type RegionErrorKind } from "./region.ts";

type Thrown = {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  /** Of an answer that could not be read: a page of HTML, from who knows no such operation. */
  readonly $response?: { readonly statusCode?: number };
};

/** By AWS's names, which say more than the status: IAM answers a throttled call with 400. */
const BY_NAME: Readonly<Record<string, RegionErrorKind>> = {
  TooManyRequestsException: "throttled",
  ThrottlingException: "throttled",
  Throttling: "throttled",
  RequestLimitExceeded: "throttled",
  ResourceConflictException: "conflict",
  ResourceInUseException: "conflict",
  PreconditionFailedException: "precondition",
  ResourceNotFoundException: "notFound",
  ProvisionedConcurrencyConfigNotFoundException: "notFound",
  NoSuchEntityException: "notFound",
  NoSuchEntity: "notFound",
  AccessDeniedException: "denied",
  AccessDenied: "denied",
  CredentialsProviderError: "denied",
  ExpiredTokenException: "denied",
  InvalidClientTokenId: "denied",
  InvalidSignatureException: "denied",
  SignatureDoesNotMatch: "denied",
  UnrecognizedClientException: "denied",
};

const BY_STATUS: Readonly<Record<number, RegionErrorKind>> = {
  401: "denied",
  403: "denied",
  404: "notFound",
  408: "unknown",
  409: "conflict",
  412: "precondition",
  429: "throttled",
  // "Not implemented": an emulator lacks it.
  501: "refused",
};

/** Nobody was there to take the request, so it can have had no effect. */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

export function toRegionError(operation: OperationName, error: unknown): RegionError {
  const thrown = (typeof error === "object" && error !== null ? error : {}) as Thrown;
  const { name = "Error", message = String(error) } = thrown;
  const code = thrown.code !== undefined && NEVER_SENT.has(thrown.code) ? thrown.code : name;
  return new RegionError(kindOf(operation, thrown, code), operation, code, message, error);
}

function kindOf(operation: OperationName, thrown: Thrown, code: string): RegionErrorKind {
  const status = thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode;
  const byName = BY_NAME[code];
  if (byName !== undefined) return byName;
  const known = status === undefined ? undefined : BY_STATUS[status];
  if (known !== undefined) return known;
  if (status !== undefined && status >= 500) return "unavailable";
  if (status !== undefined && status >= 400) return "refused";
  if (NEVER_SENT.has(code)) return "unavailable";
  // No answer, or none that can be read: of a read nothing can come, of a write everything.
  return OPERATIONS[operation].writes ? "unknown" : "unavailable";
}
