/**
 * What this library refuses, and why the number is what it is. Whoever writes a schema, an expression or a
 * message is not trusted: each bound keeps one of them from costing everybody else's time or memory (I15).
 */

/** Nesting of any JSON that enters. Real payloads nest below 10; walkers here recurse, and 64 frames are nothing. */
export const JSON_DEPTH_MAX = 64;

/** gRPC's message limit; what is larger never gets here by a wire. */
export const JSON_BYTES_MAX = 4 * 1024 * 1024;

/** A schema of 10,000 keywords compiles in about a second; the largest public ones have some thousands. */
export const SCHEMA_KEYWORDS_MAX = 10_000;

/** Steps through `$ref` in one validation: recursive schemas with unions grow exponentially with depth. */
export const SCHEMA_STEPS_MAX = 100_000;

/** Errors listed for one value; a reader fixes the first few. */
export const SCHEMA_ERRORS_MAX = 50;

/** RE2 compiles in time proportional to the expanded pattern. */
export const PATTERN_LENGTH_MAX = 1_024;

/** An expression is read by people: 4 KiB are 50 lines. */
export const CEL_SOURCE_MAX = 4 * 1024;
export const CEL_DEPTH_MAX = 48;
export const CEL_NODES_MAX = 2_000;

/**
 * Iterations of all comprehensions in one evaluation. Deterministic, unlike a time limit: a replay fails where
 * the first run failed.
 */
export const CEL_STEPS_MAX = 100_000;

/** Characters of a text and elements of a list that an expression makes. */
export const CEL_RESULT_MAX = 1_048_576;

/** Object types of one environment; beyond, parts of a schema are taken as `dyn`. */
export const CEL_TYPES_MAX = 500;
