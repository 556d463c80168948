/** Something that is wrong, where, why, and what to do. Warnings at every save, errors at freeze. */
import type { EntityKey } from "./ids.ts";

export type Finding = {
  readonly severity: "warning" | "error";
  /** Undefined: the change set as a whole. */
  readonly entity: EntityKey | undefined;
  readonly fieldPath: string;
  /** Column in the field's text, from 1; 0: none. */
  readonly column: number;
  /** UPPER_SNAKE_CASE, stable. */
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
};

export function finding(
  entity: string | undefined,
  reason: string,
  message: string,
  remedy: string,
  more: Partial<Pick<Finding, "severity" | "fieldPath" | "column">> = {},
): Finding {
  return {
    severity: "error",
    entity: entity as EntityKey | undefined,
    fieldPath: "",
    column: 0,
    reason,
    message,
    remedy,
    ...more,
  };
}
