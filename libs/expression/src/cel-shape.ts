/** What of a JSON Schema an expression can see. */
import { celTypeOf, schemaOfCelType } from "./cel-types.ts";

/**
 * The types of a schema without everything else, in one canonical form: schemas of the same shape check and run
 * every expression alike, whatever their bounds, texts and examples. The schema is one that `checkSchema` accepts.
 */
export function celShapeOf(schema: unknown): Readonly<Record<string, unknown>> {
  return schemaOfCelType(celTypeOf(schema, "value"));
}
