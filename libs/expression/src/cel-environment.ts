/** What an expression may name, and of what type it is. Made once for a set of schemas, used for many expressions. */
import { type CelType, celTypeOf } from "./cel-types.ts";
import { createRunningEnvironment, createTypedEnvironment } from "./cel-engine.ts";
import { CEL_TYPES_MAX } from "./limits.ts";

export type CelVariables = {
  /** JSON Schema by variable: `{ event: … }` for a query, `{ spec: …, name: … }` for a kind's rule. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** JSON Schema of a row by table; the variable `tables` is then an object of maps from key to row. */
  readonly tables?: Readonly<Record<string, unknown>>;
};

export type CelEnvironment = {
  readonly variables: ReadonlyMap<string, CelType>;
  /** @internal */
  readonly typed: ReturnType<typeof createTypedEnvironment>;
  /** @internal */
  readonly running: ReturnType<typeof createRunningEnvironment>;
};

/** The schemas are ones that `checkSchema` accepts. */
export function createCelEnvironment({ variables, tables }: CelVariables): CelEnvironment {
  const budget = { types: CEL_TYPES_MAX };
  const types = new Map<string, CelType>();
  for (const [name, schema] of Object.entries(variables)) types.set(name, celTypeOf(schema, name, budget));
  if (tables !== undefined) types.set("tables", tablesType(tables, budget));
  return {
    variables: types,
    typed: createTypedEnvironment(types),
    running: createRunningEnvironment(types.keys()),
  };
}

function tablesType(tables: Readonly<Record<string, unknown>>, budget: { types: number }): CelType {
  const fields = new Map<string, CelType>();
  for (const [name, row] of Object.entries(tables)) {
    fields.set(name, { kind: "map", of: celTypeOf(row, `tables.${name}[]`, budget) });
  }
  return { kind: "object", path: "tables", fields };
}
