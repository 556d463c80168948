/** What the command line says when it cannot go on: what is wrong, where, what to do next. */
import { GrecoError } from "@greco/sdk";

/** 1: it went wrong; 2: there are differences (`diff`, `plan`); also 2 for a command line that cannot be read. */
export const EXIT = { ok: 0, failed: 1, differs: 2, usage: 2 } as const;

export class CliError extends Error {
  override name = "CliError";
  readonly next: string | undefined;
  readonly exitCode: number;
  constructor(message: string, next?: string, exitCode: number = EXIT.failed) {
    super(message);
    this.next = next;
    this.exitCode = exitCode;
  }
}

function nextStep(error: GrecoError): string | undefined {
  if (error.code === "UNAVAILABLE") return "is it running? `greco doctor` looks at every connection";
  if (error.code === "DEADLINE_EXCEEDED") return "try again, or give more time with --timeout";
  return error.reason === "" ? undefined : `greco explain ${error.reason}`;
}

/** Lines for stderr. */
export function describeError(error: unknown): string[] {
  if (error instanceof GrecoError) {
    const lines = [`error: ${error.message}`];
    for (const { field, description } of error.violations) lines.push(`  ${field}: ${description}`);
    for (const { subject, description } of error.preconditions)
      lines.push(`  ${subject === "" ? "" : `${subject}: `}${description}`);
    const next = nextStep(error);
    if (next !== undefined) lines.push(`next:  ${next}`);
    return lines;
  }
  if (error instanceof CliError) {
    return [`error: ${error.message}`, ...(error.next === undefined ? [] : [`next:  ${error.next}`])];
  }
  return [`error: ${error instanceof Error ? error.message : String(error)}`];
}
