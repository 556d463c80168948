/**
 * Creates with a request_id: what it made, so that a repeat gets the first answer. Registry and coordinator keep
 * them alike; the registry forgets them by their time.
 */
import { hashOf } from "@greco/domain/model";
import { keys } from "./keys.ts";

export type RequestRecord = {
  readonly fingerprint: string;
  /** Of what was made. */
  readonly name: string;
  readonly timeMs: number;
};

/** A request_id may hold any character; a key may not. */
export function requestKey(model: string, requestId: string): string {
  return keys.request(model, hashOf(requestId));
}

/** `of`: method and parameters, in whatever form; two requests are the same if this is. */
export function requestFingerprint(of: unknown): string {
  return hashOf(
    JSON.stringify(of, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  );
}
