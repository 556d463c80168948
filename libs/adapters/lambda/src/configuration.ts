/** What of a function's configuration is part of a query's content, and the hash by which a binding names it. */
import { createHash } from "node:crypto";
import type { FunctionConfiguration } from "@aws-sdk/client-lambda";
import { canonicalJson } from "@greco/domain/model";
import { FUNCTION_HANDLER, FUNCTION_RUNTIME } from "./function-code.ts";

export type FunctionSettings = {
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
  /** ARN. */
  readonly role: string;
  readonly architecture: string;
  readonly runtime: string;
  readonly handler: string;
};

/** Of `LambdaContent.configHash`: 16 hex digits. */
export function configHashOf(settings: FunctionSettings): string {
  const { memoryMb, timeoutSeconds, environment, role, architecture, runtime, handler } = settings;
  const text = canonicalJson({
    ...{ memoryMb, timeoutSeconds, environment, role, architecture, runtime, handler },
  });
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** As AWS has it; where it says nothing, what it means by that. */
export function settingsOf(seen: FunctionConfiguration): FunctionSettings {
  return {
    memoryMb: seen.MemorySize ?? 128,
    timeoutSeconds: seen.Timeout ?? 3,
    environment: seen.Environment?.Variables ?? {},
    role: seen.Role ?? "",
    architecture: seen.Architectures?.[0] ?? "x86_64",
    runtime: seen.Runtime ?? FUNCTION_RUNTIME,
    handler: seen.Handler ?? FUNCTION_HANDLER,
  };
}
