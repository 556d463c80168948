/** The meta-schema of 2020-12. */
import { createEngine, resetSteps } from "./schema-engine.ts";
import { describe, type ValueError } from "./schema-errors.ts";

let engine: ReturnType<typeof createEngine> | undefined;

export function metaErrors(schema: Readonly<Record<string, unknown>>): readonly ValueError[] {
  engine ??= createEngine(true);
  resetSteps();
  if (engine.validateSchema(schema) === true) return [];
  return describe(engine.errors ?? [], schema);
}
