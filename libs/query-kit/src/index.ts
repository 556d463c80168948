export { QueryChecker } from "./query-checker.ts";
export { QUERY_DEFAULTS } from "./limits.ts";
export { contentOf, runtimeOf, schemaOf, specOf, streamKey, tableKey } from "./query.ts";
export type { LambdaSpec, QuerySpec } from "./query.ts";
