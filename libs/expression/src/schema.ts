/**
 * A JSON Schema, compiled. It is taken only if `checkSchema` finds nothing; validating never throws, takes time in
 * proportion to the value, and leaves the value as it is (I15).
 */
import { isDeepStrictEqual } from "node:util";
import { SCHEMA_STEPS_MAX } from "./limits.ts";
import { checkSchema, type SchemaFinding } from "./schema-check.ts";
import { createEngine, instrument, resetSteps, StepsError, type ValidateFunction } from "./schema-engine.ts";
import { describe, type ValueError } from "./schema-errors.ts";

export type CompiledSchema = {
  /** What is wrong with the value; empty: nothing. The value is JSON that `parseJson` has made, or the like. */
  validate(value: unknown): readonly ValueError[];
};

export class SchemaError extends Error {
  override name = "SchemaError";
  readonly findings: readonly SchemaFinding[];
  constructor(findings: readonly SchemaFinding[]) {
    const [first] = findings;
    const where = first?.path === "" ? "the schema" : `the schema at ${first?.path}`;
    const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : "";
    super(`${where}: ${first?.message}: ${first?.remedy}${more}`);
    this.findings = findings;
  }
}

/** Beyond so many parts of a value only its first error is told: a list of a million wrong items has a million. */
const partsForAllErrorsMax = 10_000;

const none: readonly ValueError[] = [];
let engines: { first: ReturnType<typeof createEngine>; all: ReturnType<typeof createEngine> } | undefined;

/** Throws `SchemaError`. */
export function compileSchema(schema: unknown): CompiledSchema {
  const findings = checkSchema(schema);
  if (findings.length > 0) throw new SchemaError(findings);
  engines ??= { first: createEngine(false), all: createEngine(true) };
  const { first: quick, all } = engines;
  const own = instrument(schema);
  const first = compile(quick, own);
  let every: ValidateFunction | undefined;
  return {
    validate(value) {
      const failed = run(first, value);
      if (failed === undefined) return none;
      if (!hasAtMost(value, partsForAllErrorsMax)) return failed;
      every ??= compile(all, own);
      return run(every, value) ?? failed;
    },
  };
}

/** They differ in nothing that is checked: in annotations alone (titles, descriptions, …), or not at all. */
export const checkAlike = (schema: unknown, other: unknown): boolean =>
  isDeepStrictEqual(instrument(schema), instrument(other));

function compile(engine: ReturnType<typeof createEngine>, schema: object | boolean): ValidateFunction {
  try {
    return engine.compile(schema);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SchemaError([
      { path: "", reason: "INVALID_SCHEMA", message: why, remedy: "see JSON Schema 2020-12" },
    ]);
  } finally {
    // The engine would keep it for ever; the function that it made needs nothing of it.
    if (typeof schema === "object") engine.removeSchema(schema);
  }
}

/** Undefined: the value is right. */
function run(validate: ValidateFunction, value: unknown): readonly ValueError[] | undefined {
  resetSteps();
  try {
    if (validate(value) === true) return undefined;
    return describe(validate.errors ?? [], value);
  } catch (error) {
    if (error instanceof StepsError) return [{ path: "", message: tooManySteps }];
    if (error instanceof RangeError)
      return [{ path: "", message: "is nested too deep for this recursive schema" }];
    throw error;
  } finally {
    validate.errors = null;
  }
}

const tooManySteps = `needs more than ${SCHEMA_STEPS_MAX} steps through $ref to be checked; the schema's recursion is too wide for it`;

function hasAtMost(value: unknown, parts: number): boolean {
  let left = parts;
  const count = (part: unknown): void => {
    left -= 1;
    if (left < 0 || typeof part !== "object" || part === null) return;
    for (const inner of Object.values(part)) {
      if (left < 0) return;
      count(inner);
    }
  };
  count(value);
  return left >= 0;
}
