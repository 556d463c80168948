// A call as the log keeps it: enough for a checker to say what was asked, what it did and what the caller was told.
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Fault } from "./fault.ts";
import { loggedBytesMax } from "./limits.ts";
import type { LambdaOperation } from "./operation.ts";

/** Instead of a zip, or of a body too large to keep. */
export type Digest = {
  /** In base64, as CodeSha256 is. */
  readonly sha256: string;
  readonly bytes: number;
};

/** What the target says, or the proxy instead of it. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type LoggedAnswer = {
  readonly status: number;
  /** Parsed where it is JSON and small; a `Digest` where it is large; else its text; undefined where it is empty. */
  readonly body: unknown;
  /** Of an Invoke: the version that ran, as AWS's header says. */
  readonly executedVersion?: string;
};

export type Call = {
  /** From 1, in the order of arrival. */
  readonly n: number;
  readonly operation: LambdaOperation;
  readonly functionName: string;
  readonly qualifier: string | undefined;
  /** When it arrived, in milliseconds since 1970; it never goes back within one process. */
  readonly atMs: number;
  readonly request: {
    readonly method: string;
    /** With its query. */
    readonly path: string;
    /** Without what signs it. */
    readonly headers: Readonly<Record<string, string>>;
    /** As `LoggedAnswer.body`; a form as an object; a `ZipFile` as the `Digest` of the zip. */
    readonly body: unknown;
  };
  /** What the target answered: the call has had its effect. Missing where it was not forwarded, or not answered yet. */
  forwarded?: LoggedAnswer;
  /** What the caller was told. Missing where the answer was lost, or where there is none yet. */
  response?: LoggedAnswer;
  /** When the caller was told, or its connection was cut. */
  endedAtMs?: number;
  /** The fault that this call met. */
  injected?: Fault;
};

export const nowMs = (): number => performance.timeOrigin + performance.now();

export const digestOf = (bytes: Buffer): Digest => ({
  sha256: createHash("sha256").update(bytes).digest("base64"),
  bytes: bytes.length,
});

function parsed(bytes: Buffer): unknown {
  const text = bytes.toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The request's body as an object, whatever its size: what names a call, and what emulation looks at. */
export function parsedRequest(bytes: Buffer, contentType: string | undefined): unknown {
  if (bytes.length === 0) return undefined;
  if (contentType?.startsWith("application/x-www-form-urlencoded") === true)
    return Object.fromEntries(new URLSearchParams(bytes.toString("utf8")));
  return parsed(bytes);
}

/** The log's copy of a request's body. */
export function loggedRequest(bytes: Buffer, body: unknown): unknown {
  const fields = withoutZip(body);
  return fields === body && bytes.length > loggedBytesMax ? digestOf(bytes) : fields;
}

/** CreateFunction has its zip below `Code`, UpdateFunctionCode beside its fields. */
function withoutZip(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body;
  const { ZipFile: zip, Code: code } = body as { readonly ZipFile?: unknown; readonly Code?: unknown };
  if (typeof zip === "string") return { ...body, ZipFile: digestOf(Buffer.from(zip, "base64")) };
  if (code === undefined) return body;
  const rest = withoutZip(code);
  return rest === code ? body : { ...body, Code: rest };
}

export function loggedAnswer({ status, headers, body }: Answer): LoggedAnswer {
  const executedVersion = headers["x-amz-executed-version"];
  return {
    status,
    body: body.length === 0 ? undefined : body.length > loggedBytesMax ? digestOf(body) : parsed(body),
    ...(executedVersion === undefined ? {} : { executedVersion }),
  };
}

const SIGNING = new Set(["authorization", "x-amz-security-token"]);

export function loggedHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !SIGNING.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}
