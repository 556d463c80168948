/** A program's binding, read: which function runs it. Checked, because a binding outlives its writer. */
import type { LambdaContent, QueryContent } from "@greco/domain/epoch";
import { type Program, ProgramLoadError } from "@greco/ports";

export type FunctionBinding = LambdaContent & {
  /** The query's name. */
  readonly query: string;
};

const NUMBERED_VERSION = /^arn:[^:]+:lambda:[^:]+:\d+:function:[\w-]+:\d+$/;

/** Throws `ProgramLoadError`. */
export function readBinding({ query: text }: Program): FunctionBinding {
  const query = parse(text);
  const lambda = (query.lambda ?? {}) as Partial<LambdaContent>;
  if (typeof query.name !== "string") throw bad("name", "the query's binding has no name");
  const { qualifiedArn, codeSha256, configHash, concurrency, batch } = lambda;
  if (typeof qualifiedArn !== "string" || !NUMBERED_VERSION.test(qualifiedArn))
    throw bad(
      "lambda.qualifiedArn",
      `${JSON.stringify(qualifiedArn)} names no numbered version of a function`,
    );
  if (typeof codeSha256 !== "string") throw bad("lambda.codeSha256", "codeSha256 is no text");
  if (typeof configHash !== "string") throw bad("lambda.configHash", "configHash is no text");
  if (!isCount(concurrency)) throw bad("lambda.concurrency", "concurrency is no number from 1 on");
  if (!isCount(batch)) throw bad("lambda.batch", "batch is no number from 1 on");
  return { query: query.name, qualifiedArn, codeSha256, configHash, concurrency, batch };
}

const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 1;

function bad(place: string, message: string, cause?: unknown): ProgramLoadError {
  return new ProgramLoadError("BAD_PROGRAM", place, message, { cause });
}

function parse(text: string): Partial<QueryContent> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw bad("", `the binding is no JSON: ${String(error)}`, error);
  }
  throw bad("", "the binding is no object");
}
