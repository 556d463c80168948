/**
 * Each program goes to the host that its binding names (@greco/adapter-lambda/by-program). Of the AWS SDK this loads
 * nothing: who has no functions need not have it in memory.
 */
import type { QueryContent } from "@greco/domain/epoch";
import { type FunctionHost, type Program, ProgramLoadError } from "@greco/ports";

export type HostsByProgram = {
  readonly worker: FunctionHost;
  /** Undefined: this runtime was not told where functions are. Programs that need one are refused. */
  readonly lambda: FunctionHost | undefined;
};

/** Disposing it disposes both. */
export function hostsByProgram({ worker, lambda }: HostsByProgram): FunctionHost {
  // One that could not be loaded stays: it is tried again, or its model has few like it.
  const hosts = new Map<string, FunctionHost>();
  const hostOf = (program: Program): FunctionHost => {
    if (!isLambda(program)) return worker;
    if (lambda !== undefined) return lambda;
    throw new ProgramLoadError(
      "LAMBDA_NOT_CONFIGURED",
      "lambda",
      "the query runs on AWS Lambda, and this runtime was not told where: give it --lambda-region (GRECO_LAMBDA_REGION)",
    );
  };
  return {
    async load(program, signal) {
      signal.throwIfAborted();
      const host = hostOf(program);
      hosts.set(program.id, host);
      await host.load(program, signal);
    },
    // A program that nobody has loaded is either's to refuse.
    invoke: (programId, invocations, signal) =>
      (hosts.get(programId) ?? worker).invoke(programId, invocations, signal),
    unload(programId) {
      hosts.get(programId)?.unload(programId);
      hosts.delete(programId);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([worker[Symbol.asyncDispose](), lambda?.[Symbol.asyncDispose]()]);
    },
  };
}

/** A text that cannot be read is the worker host's to refuse. */
function isLambda({ query }: Program): boolean {
  try {
    return (JSON.parse(query) as Partial<QueryContent> | null)?.lambda !== undefined;
  } catch {
    return false;
  }
}
