/**
 * The control plane of AWS as far as this conductor needs it. Nothing is repeated here: whoever asks looks again.
 *
 * The signal of a write counts until it is sent: what was sent may land whatever its sender does, so it is awaited to
 * its end (K3), which the client bounds.
 */
import type { FunctionConfig } from "./function-config.ts";
import type { Tags } from "./function-name.ts";

export type RegionErrorKind =
  /** 409: in another state than the call needs, or there already. */
  | "conflict"
  /** 412: the RevisionId is not the current one. */
  | "precondition"
  /** 429 */
  | "throttled"
  /** 404, where something must be there. */
  | "notFound"
  /** 5xx: answered, and whether it took effect is not known. */
  | "unavailable"
  /** No answer: it may have taken effect, and may still. */
  | "unknown"
  /** 401, 403, or no credentials at all. */
  | "denied"
  /** Everything else: wrong, and so it will be the next time. */
  | "refused";

export class RegionError extends Error {
  override name = "RegionError";
  readonly kind: RegionErrorKind;
  readonly operation: string;
  /** AWS's own name for it: `InvalidParameterValueException`. */
  readonly code: string;
  constructor(kind: RegionErrorKind, operation: string, code: string, message: string, cause?: unknown) {
    super(`${operation}: ${code}: ${message}`, { cause });
    this.kind = kind;
    this.operation = operation;
    this.code = code;
  }
}

/** Of $LATEST, or of a version. `reason` is AWS's, for people. */
export type FunctionFacts = {
  readonly arn: string;
  readonly codeSha256: string;
  readonly config: FunctionConfig;
  readonly revisionId: string;
  readonly state: "Pending" | "Active" | "Inactive" | "Failed";
  readonly reason: string;
  readonly lastUpdate: "Successful" | "InProgress" | "Failed";
  readonly lastUpdateReason: string;
  /** Empty on a qualified look: they belong to the function. */
  readonly tags: Tags;
  /** Undefined: the account's pool. */
  readonly reserved: number | undefined;
};

/** As a list shows it: what it is, and not in which state. */
export type VersionFacts = {
  readonly version: string;
  readonly arn: string;
  readonly codeSha256: string;
  readonly config: FunctionConfig;
};

export type ProvisionedFacts = {
  readonly requested: number;
  readonly status: "READY" | "IN_PROGRESS" | "FAILED";
  readonly reason: string;
};

/** For an update: the version that it is to have, and the RevisionId that was seen. */
export type AliasFacts = { readonly version: string; readonly revisionId: string };

export type AccountFacts = {
  readonly codeBytesMax: number;
  readonly codeBytes: number;
  readonly concurrencyMax: number;
  /** What functions that reserve none share; at least 100 stay. */
  readonly unreserved: number;
};

export type RoleFacts = {
  readonly arn: string;
  /** JSON text. */
  readonly trustPolicy: string;
};

export type NewFunction = {
  readonly name: string;
  readonly config: FunctionConfig;
  readonly zip: Uint8Array;
  readonly tags: Tags;
  readonly description: string;
};

export type ConfigurationUpdate = {
  readonly name: string;
  readonly config: FunctionConfig;
  readonly revisionId: string;
};

export type CodeUpdate = {
  readonly name: string;
  readonly zip: Uint8Array;
  readonly architecture: string;
  readonly revisionId: string;
};

export type Publication = {
  readonly name: string;
  readonly codeSha256: string;
  readonly revisionId: string;
  readonly description: string;
};

export interface Region {
  /** Undefined: not there, or not yet to be seen. `version` undefined: $LATEST. */
  getFunction(
    name: string,
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<FunctionFacts | undefined>;
  /** Numbered ones, ascending; none where the function is not there. */
  listVersions(name: string, signal: AbortSignal): Promise<readonly VersionFacts[]>;
  createFunction(given: NewFunction, signal: AbortSignal): Promise<void>;
  /** All but the architecture, which goes with the code. */
  updateConfiguration(given: ConfigurationUpdate, signal: AbortSignal): Promise<void>;
  updateCode(given: CodeUpdate, signal: AbortSignal): Promise<void>;
  /** Where nothing has changed since the last one: that one. */
  publishVersion(given: Publication, signal: AbortSignal): Promise<VersionFacts>;
  /** `version` undefined: all of the function. What is not there is gone. */
  deleteFunction(name: string, version: string | undefined, signal: AbortSignal): Promise<void>;
  getProvisioned(name: string, version: string, signal: AbortSignal): Promise<ProvisionedFacts | undefined>;
  putProvisioned(name: string, version: string, count: number, signal: AbortSignal): Promise<void>;
  /** What is not there is gone. */
  deleteProvisioned(name: string, version: string, signal: AbortSignal): Promise<void>;
  putReserved(name: string, count: number, signal: AbortSignal): Promise<void>;
  deleteReserved(name: string, signal: AbortSignal): Promise<void>;
  getAlias(name: string, alias: string, signal: AbortSignal): Promise<AliasFacts | undefined>;
  createAlias(name: string, alias: string, version: string, signal: AbortSignal): Promise<void>;
  updateAlias(name: string, alias: string, to: AliasFacts, signal: AbortSignal): Promise<void>;
  /** Undefined: the target does not tell (moto). */
  getAccount(signal: AbortSignal): Promise<AccountFacts | undefined>;
  getRole(arn: string, signal: AbortSignal): Promise<RoleFacts | undefined>;
}
