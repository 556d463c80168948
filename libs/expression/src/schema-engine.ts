/**
 * ajv, set up so that what a schema says can cost only what the value's size allows: patterns by RE2, `enum` and
 * `uniqueItems` by hashing instead of comparing each with each, and a count of steps through `$ref`.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { SCHEMA_STEPS_MAX } from "./limits.ts";
import { createRegExp } from "./regexp.ts";
import { schemaFormats } from "./schema-formats.ts";
import { isSchemaObject } from "./schema-keywords.ts";

export type { ErrorObject, ValidateFunction };

const STEP = "x-greco-step";

export class StepsError extends Error {
  override name = "StepsError";
}

let stepsLeft = 0;

/** The steps of one validation begin anew. Validation is synchronous, so one counter is enough. */
export function resetSteps(): void {
  stepsLeft = SCHEMA_STEPS_MAX;
}

function step(): boolean {
  stepsLeft -= 1;
  if (stepsLeft < 0) throw new StepsError("too many steps");
  return true;
}

/** Equal values have equal texts, whatever the order of their names. */
function fingerprint(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(fingerprint).join(",")}]`;
  if (!isSchemaObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value).toSorted();
  return `{${fields.map((name) => `${JSON.stringify(name)}:${fingerprint(value[name])}`).join(",")}}`;
}

function allDifferent(items: readonly unknown[]): boolean {
  return new Set(items.map(fingerprint)).size === items.length;
}

export function createEngine(allErrors: boolean): Ajv2020 {
  const regExp = Object.assign((pattern: string) => createRegExp(pattern), { code: "createRegExp" });
  const ajv = new Ajv2020({
    allErrors,
    verbose: true,
    // `checkSchema` finds unknown keywords and formats, with a place and a remedy.
    strictSchema: false,
    strictTypes: false,
    strictTuples: false,
    strictNumbers: true,
    addUsedSchema: false,
    logger: false,
    ownProperties: true,
    formats: Object.fromEntries(schemaFormats),
    code: { regExp },
  });
  ajv.removeKeyword("enum");
  ajv.addKeyword({
    keyword: "enum",
    schemaType: "array",
    compile: (allowed: readonly unknown[]) => {
      const known = new Set(allowed.map(fingerprint));
      return (value: unknown) => known.has(fingerprint(value));
    },
  });
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    compile: (wanted: boolean) => (items: readonly unknown[]) => !wanted || allDifferent(items),
  });
  ajv.addKeyword({ keyword: STEP, validate: step, errors: false });
  return ajv;
}

/** A copy in which each `$ref` counts its steps; the caller's object stays his own. */
export function instrument(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(instrument);
  if (!isSchemaObject(schema)) return schema;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(schema)) copy[name] = instrument(schema[name]);
  if (typeof schema["$ref"] === "string") copy[STEP] = true;
  return copy;
}
