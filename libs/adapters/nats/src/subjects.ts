/**
 * Names for NATS from any text. A subject's tokens may hold neither dots, wildcards nor spaces, and a header no line
 * breaks; so whatever is not a letter, a digit, `_` or `-` is written as `=` and its bytes in hexadecimal. Different
 * texts get different names.
 */
import { createHash } from "node:crypto";

/** A server takes 4,096 bytes of protocol line; a name longer than this is written as its digest. */
const TOKEN_MAX = 200;

export function token(text: string): string {
  // No text of its own comes out as a lone `=`, nor as `=` with a small letter behind it.
  if (text === "") return "=";
  const escaped = text.replaceAll(/[^A-Za-z0-9_-]/gu, escape);
  if (escaped.length <= TOKEN_MAX) return escaped;
  return `=h${createHash("sha256").update(text).digest("hex")}`;
}

function escape(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}

export type Names = {
  readonly stream: string;
  /** All topics of the control log. */
  readonly control: string;
  controlOf(model: string): string;
  wakeOf(topic: string): string;
};

/** One prefix a deployment; `greco` unless told. */
export function namesOf(prefix: string): Names {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(prefix))
    throw new TypeError(
      `streamPrefix "${prefix}": give 1 to 32 of letters, digits, "_" and "-"; it becomes a part of subjects`,
    );
  return {
    stream: `${prefix}-control`,
    control: `${prefix}.control.*`,
    controlOf: (model) => `${prefix}.control.${token(model)}`,
    wakeOf: (topic) => `${prefix}.wake.${token(topic)}`,
  };
}
