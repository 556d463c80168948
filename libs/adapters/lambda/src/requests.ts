/**
 * Invocations as requests, and what came back as outcomes.
 *
 * A request holds messages of one epoch only: where an epoch leaves a program as it is, the runtime gives messages of
 * both sides of its marker at once.
 */
import { isUtf8 } from "node:buffer";
import type { Invocation, Outcome } from "@greco/ports";
import { CALL_FORMAT, type CallOutcome } from "./call.ts";

/** A message as JSON, and whose it is. */
export type Encoded = { readonly index: number; readonly epoch: number; readonly text: string };

/** What one request holds; never empty. */
export type Piece = readonly Encoded[];

export type Failed = Extract<Outcome, { type: "failed" }>;

/** Undefined: its payload is no text. */
export function encode(
  { payload, key, idempotencyKey: id, context }: Invocation,
  index: number,
): Encoded | undefined {
  if (!isUtf8(payload)) return undefined;
  const buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const { lane, seq, epoch } = context;
  const text = JSON.stringify({ payload: buffer.toString("utf8"), key, id, lane, seq });
  return { index, epoch, text };
}

/** In order, each of one epoch and of `batch` messages at most. */
export function piecesOf(messages: readonly Encoded[], batch: number): readonly Piece[] {
  const pieces: Encoded[][] = [];
  let piece: Encoded[] = [];
  for (const message of messages) {
    if (piece.length === batch || piece[0]?.epoch !== message.epoch) pieces.push((piece = []));
    piece.push(message);
  }
  return pieces;
}

/** The text of a `CallRequest`. */
export function requestOf(query: string, epoch: number, piece: readonly Encoded[]): string {
  const messages = piece.map(({ text }) => text).join(",");
  return `{"greco":${CALL_FORMAT},"epoch":${epoch},"query":${JSON.stringify(query)},"messages":[${messages}]}`;
}

export function outcomeOf(outcome: CallOutcome, key: string): Outcome {
  if ("outputs" in outcome)
    return { type: "outputs", outputs: outcome.outputs.map((text) => ({ key, payload: Buffer.from(text) })) };
  const { reason, message, retryable } = outcome;
  return { type: "failed", reason, message, retryable };
}

export const badPayload: Failed = {
  type: "failed",
  reason: "BAD_PAYLOAD",
  message: "the payload: the bytes are no UTF-8; JSON is sent as UTF-8",
  retryable: false,
};

export function tooLarge(bytes: number, limit: number): Failed {
  return {
    type: "failed",
    reason: "PAYLOAD_TOO_LARGE",
    message: `a call with this message alone has ${bytes} bytes, and AWS Lambda takes ${limit}; make it smaller`,
    retryable: false,
  };
}
