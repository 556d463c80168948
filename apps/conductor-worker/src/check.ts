/** Everything that may be wrong with a query in the model as it would be: entity, field, column, reason, remedy. */
import type { Affected, Finding, ModelView } from "@greco/conductor-kit";
import { equalJson, type EntityKey, type JsonValue } from "@greco/domain/model";
import {
  checkCel,
  checkSchema,
  createCelEnvironment,
  type CelEnvironment,
  type CelExpectation,
} from "@greco/expression";
import { checkHandler } from "./handler.ts";
import { checkOutputs } from "./outputs.ts";
import { schemasOf, specOf, streamKey, tableKey, type QuerySpec } from "./query.ts";

type Found = Omit<Finding, "severity" | "entity">;

export function findingsOf(each: Affected, before: ModelView, after: ModelView): readonly Finding[] {
  if (each.after === undefined) return [];
  const spec = specOf(each.after.spec);
  const found = spec.handler === undefined ? checkExpressions(spec, after) : handlerFindings(spec.handler);
  // What the query itself did not change, something that it stands on has broken.
  const culprits = each.change === "none" ? changedUnder(spec, before, after) : [];
  return found.map((one): Finding => {
    const about = { severity: "error", entity: each.key, ...one } as const;
    if (culprits.length === 0) return about;
    const names = culprits.join(" and ");
    return {
      ...about,
      message: `as ${names} would be: ${one.message}`,
      remedy: `${one.remedy}; or keep ${names} as the query needs it, or change the query in the same draft`,
    };
  });
}

const handlerFindings = (source: string): readonly Found[] =>
  checkHandler(source).map((one) => ({ fieldPath: "handler", ...one }));

function changedUnder(
  { from, to, tables = [] }: QuerySpec,
  before: ModelView,
  after: ModelView,
): EntityKey[] {
  return [streamKey(from), streamKey(to), ...tables.map(tableKey)].filter((key) => {
    const [old, now] = [before.get(key), after.get(key)];
    return !equalJson(old?.spec as JsonValue | undefined, now?.spec as JsonValue | undefined);
  });
}

function checkExpressions(spec: QuerySpec, view: ModelView): readonly Found[] {
  const { from, to, tables } = schemasOf(spec, view);
  // A schema that is none is another conductor's finding; nothing can be said of expressions over it.
  if ([from, to, ...Object.values(tables)].some((schema) => checkSchema(schema).length > 0)) return [];
  const environment = createCelEnvironment({ variables: { event: from }, tables });
  const found: Found[] = [];
  if (spec.where !== undefined)
    found.push(...check("where", spec.where, environment, { type: "bool" }).findings);
  const given: Record<string, Readonly<Record<string, unknown>>> = Object.create(null) as Record<
    string,
    never
  >;
  for (const [field, source] of Object.entries(spec.select ?? {})) {
    const { findings, schema } = check(`select.${field}`, source, environment, {});
    found.push(...findings);
    given[field] = schema;
  }
  for (const { field, ...one } of checkOutputs(spec.to, to, given)) {
    const fieldPath = field === undefined ? "select" : `select.${field}`;
    // An expression that does not compile is wrong already.
    if (!found.some((other) => other.fieldPath === fieldPath)) found.push({ fieldPath, ...one });
  }
  return found;
}

type Checked = { readonly findings: readonly Found[]; readonly schema: Readonly<Record<string, unknown>> };

function check(
  fieldPath: string,
  source: string,
  environment: CelEnvironment,
  expected: CelExpectation,
): Checked {
  const checked = checkCel(source, environment, expected);
  if (checked.ok) return { findings: [], schema: checked.schema };
  const findings = checked.findings.map(({ reason, message, line, column, remedy }) => ({
    fieldPath,
    column,
    reason,
    message: line === 1 ? message : `line ${line}: ${message}`,
    remedy,
  }));
  return { findings, schema: {} };
}
