/** What of a function's configuration is part of a query's content, read out of what AWS answers. */
import type { FunctionConfiguration } from "@aws-sdk/client-lambda";
import type { FunctionSettings } from "@greco/domain/epoch";
import { FUNCTION_HANDLER, FUNCTION_RUNTIME } from "./function-code.ts";

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
