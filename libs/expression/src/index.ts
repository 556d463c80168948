export { JsonError, parseJson } from "./json.ts";
export type { JsonErrorReason, JsonLimits } from "./json.ts";
export { createRegExp, PatternError } from "./regexp.ts";
export type { SafeRegExp } from "./regexp.ts";
export { checkSchema } from "./schema-check.ts";
export type { SchemaFinding } from "./schema-check.ts";
export type { ValueError } from "./schema-errors.ts";
export { compileSchema, SchemaError } from "./schema.ts";
export type { CompiledSchema } from "./schema.ts";
