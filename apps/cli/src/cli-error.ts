/** What the command line says when it cannot go on: what is wrong, where, what to do next. */
import { EntityFileError } from "@greco/entity-files";
import { GrecoError } from "@greco/sdk";
import { REASONS } from "./reasons.ts";
import { thingOf } from "./short-name.ts";
import { printable } from "./text.ts";

/** 1: it went wrong, also a command line that cannot be read; 2 says one thing only: there are differences (`diff`, `plan`, `drift`). */
export const EXIT = { ok: 0, failed: 1, differs: 2 } as const;

export class CliError extends Error {
  override name = "CliError";
  readonly next: string;
  constructor(message: string, next: string) {
    super(message);
    this.next = next;
  }
}

function nextStep(error: unknown): string | undefined {
  if (error instanceof CliError || error instanceof EntityFileError) return error.next;
  if (!(error instanceof GrecoError)) return undefined;
  if (error.code === "UNAVAILABLE" && error.reason === "")
    return "is it running? `greco doctor` looks at every connection";
  if (error.code === "DEADLINE_EXCEEDED" && error.reason === "") return REASONS["DEADLINE_EXCEEDED"]?.next;
  return REASONS[error.reason]?.next;
}

/** Of several all; a single one only if the message does not say it already, as Greco's do of a precondition. */
function details({ message, violations, preconditions }: GrecoError): string[] {
  const all = [
    ...violations.map(({ field, description }) => ({ at: field, description })),
    ...preconditions.map(({ subject, description }) => ({ at: thingOf(subject), description })),
  ];
  const said = preconditions.length > 0 || message.includes(all[0]?.description ?? "");
  if (all.length === 1 && said) return [];
  return all.map(({ at, description }) => `  ${at === "" ? "" : `${at}: `}${description}`);
}

/** Lines for stderr. */
export function describeError(error: unknown): string[] {
  const message = error instanceof Error ? error.message : String(error);
  const reason = error instanceof GrecoError && error.reason !== "" ? ` [${error.reason}]` : "";
  const lines = `error: ${message}${reason}`.split("\n");
  if (error instanceof GrecoError) lines.push(...details(error));
  const next = nextStep(error);
  if (next !== undefined) lines.push(`next:  ${next}`);
  return lines.map(printable);
}
