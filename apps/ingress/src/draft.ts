/** A message on its way into a lane: parsed once, checked by the binding of the lane that it is to go to. */
import type { NewEntry } from "@greco/lane-kit";
import { JsonError, parseJson } from "@greco/expression";
import { fault, type Fault } from "@greco/service-kit";
import type { PublishMessage, Outcome } from "./publish-order.ts";
import type { StreamBinding } from "./stream-bindings.ts";

export type Draft = {
  readonly message: PublishMessage;
  readonly value: unknown;
  /** Set once the message has its place or its refusal. */
  outcome: Promise<Outcome> | undefined;
  /** By the binding that it was last checked with. */
  entry: NewEntry;
  checkedBy: StreamBinding | undefined;
};

export function drafted(message: PublishMessage): Draft {
  const { payload, key } = message;
  const draft: Omit<Draft, "value" | "outcome"> = { message, entry: { payload, key }, checkedBy: undefined };
  try {
    return { ...draft, value: parseJson(payload), outcome: undefined };
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const field = `${message.field}.payload`;
    const refusal = fault.invalid("PAYLOAD_INVALID", `${field}: ${error.message}`, [
      { field, description: error.message },
    ]);
    return { ...draft, value: undefined, outcome: Promise.resolve(refusal) };
  }
}

/** What is wrong with it by this binding; undefined: nothing, and `entry` is what is to be stored. */
export function check(draft: Draft, binding: StreamBinding): Fault | undefined {
  if (draft.checkedBy === binding) return undefined;
  const errors = binding.schema.validate(draft.value);
  const [first] = errors;
  if (first !== undefined) {
    const at = (path: string): string =>
      `${draft.message.field}.payload${path === "" || path.startsWith("[") ? path : `.${path}`}`;
    const message = `${at(first.path)} ${first.message}: the stream ${binding.content.name} does not take it`;
    const violations = errors.map((each) => ({ field: at(each.path), description: each.message }));
    return fault.invalid("PAYLOAD_INVALID", message, violations);
  }
  draft.entry = { payload: draft.message.payload, key: keyOf(draft, binding) };
  draft.checkedBy = binding;
  return undefined;
}

/** The publisher's key, else the value of the stream's key field; empty: any lane will do. */
export function keyOf({ message, value }: Draft, { content }: StreamBinding): string {
  if (message.key !== "" || content.key === undefined) return message.key;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, content.key)) return "";
  const key = (value as Readonly<Record<string, unknown>>)[content.key];
  return typeof key === "string" ? key : typeof key === "number" || typeof key === "boolean" ? `${key}` : "";
}

/** FNV-1a over UTF-16 units: the same key goes to the same of so many lanes, in every ingress. */
export function laneIndex(key: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  // The low bits of FNV-1a depend on the low bits of the input alone.
  return ((hash ^ (hash >>> 15)) >>> 0) % lanes;
}
