/** A finding in one line, as a refusal says it: where in the spec, what is wrong, what to do. */
import type { Finding } from "@greco/domain/model";

/** Most messages begin with the field that they are about; the others are given it. */
export function describe({
  fieldPath,
  message,
  remedy,
}: Pick<Finding, "fieldPath" | "message" | "remedy">): string {
  const named = fieldPath === "" || message === fieldPath || message.startsWith(`${fieldPath} `);
  return `${named ? "" : `${fieldPath}: `}${message}: ${remedy}`;
}
