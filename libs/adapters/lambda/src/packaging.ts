/** How a query becomes what AWS is given, for whoever makes functions. */
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import { FUNCTION_HANDLER, FUNCTION_RUNTIME, type FunctionCode, functionCode } from "./function-code.ts";
import { functionSource } from "./function-source.ts";

export const functionPackaging = {
  runtime: FUNCTION_RUNTIME,
  handler: FUNCTION_HANDLER,
  /** Reproducible: the same in, the same bytes out. */
  async codeOf(
    query: QueryContent,
    tables: readonly TableContent[],
    signal: AbortSignal,
  ): Promise<FunctionCode> {
    return functionCode(await functionSource(signal), query, tables);
  },
} as const;
