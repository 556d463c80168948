/** Findings as people read them: where, what is wrong, what to do; a veto, a plan and a draft show them alike. */
import { type Finding, Severity } from "@greco/contracts/greco/model/v1/model";
import { shortName } from "./short-name.ts";

export type FindingView = Pick<
  Finding,
  "severity" | "entity" | "fieldPath" | "column" | "reason" | "message" | "remedy"
>;

/** `query/compensation select.euros, column 7`; empty: the change set as a whole. */
export function placeOf({ entity, fieldPath, column, message }: FindingView): string {
  const at = column > 0 ? `, column ${column}` : "";
  // A schema's messages begin with the field.
  const field = message.startsWith(`${fieldPath} `) ? "" : fieldPath;
  return `${[shortName(entity), field].filter((part) => part !== "").join(" ")}${at}`;
}

/** Two or three lines: the second says what to do, and which reason `greco explain` takes. */
export function findingLines(finding: FindingView): string[] {
  const place = placeOf(finding);
  const reason = finding.reason === "" ? "" : ` [${finding.reason}]`;
  const lines = [`${place === "" ? "" : `${place}: `}${finding.message}${reason}`];
  return finding.remedy === "" ? lines : [...lines, `  → ${finding.remedy}`];
}

export const isError = ({ severity }: FindingView): boolean => severity !== Severity.WARNING;
