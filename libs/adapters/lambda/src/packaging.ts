/** How a query becomes what AWS is given, for whoever makes functions. */
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import { hashOf } from "@greco/domain/model";
import {
  FUNCTION_HANDLER,
  FUNCTION_RUNTIME,
  type FunctionCode,
  functionData,
  zipped,
} from "./function-code.ts";
import { functionSource } from "./function-source.ts";

export type FunctionPackaging = {
  readonly runtime: string;
  readonly handler: string;
  /** Reproducible: the same in, the same bytes out. */
  codeOf(query: QueryContent, tables: readonly TableContent[], signal: AbortSignal): Promise<FunctionCode>;
};

/** Of zips that are kept: some 600 without tables. A review, its prepare and the create ask for the same one. */
const ZIP_BYTES_KEPT = 32 * 1024 * 1024;

export function createFunctionPackaging(): FunctionPackaging {
  const kept = new Map<string, FunctionCode>();
  let bytes = 0;
  const keep = (key: string, code: FunctionCode): void => {
    if (kept.has(key)) return;
    kept.set(key, code);
    bytes += code.zip.length;
    for (const [oldest, { zip }] of kept) {
      if (bytes <= ZIP_BYTES_KEPT) break;
      kept.delete(oldest);
      bytes -= zip.length;
    }
  };
  return {
    runtime: FUNCTION_RUNTIME,
    handler: FUNCTION_HANDLER,
    async codeOf(query, tables, signal) {
      const source = await functionSource(signal);
      const data = functionData(query, tables);
      const key = hashOf(`${data["query.json"]}\n${data["tables.json"]}`);
      const known = kept.get(key);
      if (known !== undefined) return known;
      const code = zipped(source, data);
      keep(key, code);
      return code;
    },
  };
}
