/**
 * Page tokens: where a list goes on. Opaque to callers, bound to the query that made them, and of use for ever, as
 * far as what they stand on is still there (I15: a changed query or a foreign text is refused).
 */
import { hashOf } from "@greco/domain/model";
import { fault } from "@greco/service-kit";
import type { RegistryLimits } from "./limits.ts";

export type Position = {
  /** The last thing shown; empty: none. */
  readonly after: string;
  /** What the pages before were of: a version, an etag. Empty at the start. */
  readonly of: string;
};

export type Query = {
  /** Method and parameters but page_size. */
  readonly of: readonly (string | number | bigint | boolean)[];
  readonly pageToken: string;
};

const FINGERPRINT_DIGITS = 16;
const START: Position = { after: "", of: "" };

export function readToken({ of, pageToken }: Query): Position {
  if (pageToken === "") return START;
  const parts = decode(pageToken);
  if (parts === undefined)
    throw refused(
      "PAGE_TOKEN_INVALID",
      "the page_token is not one that this list has given: start without one",
    );
  const [fingerprint, after, position] = parts;
  if (fingerprint !== fingerprintOf(of))
    throw refused(
      "PAGE_TOKEN_MISMATCH",
      "the page_token belongs to a list with other parameters: keep them, or start without a token",
    );
  return { after, of: position };
}

export function writeToken({ of }: Query, position: Position): string {
  const parts = [fingerprintOf(of), position.after, position.of];
  return Buffer.from(JSON.stringify(parts), "utf8").toString("base64url");
}

function decode(token: string): readonly [string, string, string] | undefined {
  try {
    const parts = JSON.parse(Buffer.from(token, "base64url").toString("utf8")) as unknown;
    const fits =
      Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === "string");
    return fits ? (parts as unknown as readonly [string, string, string]) : undefined;
  } catch {
    return undefined;
  }
}

function fingerprintOf(of: Query["of"]): string {
  return hashOf(JSON.stringify(of.map(String))).slice(0, FINGERPRINT_DIGITS);
}

function refused(reason: string, message: string): Error {
  return fault.invalid(reason, message, [{ field: "page_token", description: message }]);
}

export function pageSizeOf(asked: number, limits: RegistryLimits): number {
  return asked === 0 ? limits.pageSizeDefault : Math.min(asked, limits.pageSizeMax);
}

/**
 * Takes items until the page is full, in number or in bytes; at least one. `more` says whether anything is left.
 */
export function takePage<T>(
  items: Iterable<T>,
  sizeMax: number,
  bytesMax: number,
  bytesOf: (item: T) => number,
): { readonly page: readonly T[]; readonly more: boolean } {
  const page: T[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += bytesOf(item);
    if (page.length === sizeMax || (page.length > 0 && bytes > bytesMax)) return { page, more: true };
    page.push(item);
  }
  return { page, more: false };
}
