/** Whether a kind can be: its schema compiles, its rules type-check against it, its references lead to kinds (I15). */
import { checkCel, checkSchema, createCelEnvironment } from "@greco/expression";
import { isSegment, parseReferencePath, parseSpec, type JsonObject } from "@greco/domain/model";
import type { FieldViolation } from "@greco/service-kit";
import type { KindRecord } from "../store/records.ts";
import { NAME_SCHEMA } from "./spec-check.ts";

export type KindDraft = Omit<KindRecord, "etag" | "builtIn">;

/** Field paths are those of the request's `kind`. `knownKinds` are the model's others. */
export function checkKind(kind: KindDraft, knownKinds: ReadonlySet<string>): readonly FieldViolation[] {
  const violations: FieldViolation[] = [];
  const schema = parseSchema(kind.schemaJson, violations);
  if (kind.displayName === "")
    violations.push({ field: "kind.display_name", description: "is required, as people write it: `Query`" });
  if (schema !== undefined) checkRules(kind, schema, violations);
  kind.references.forEach(({ path, kind: target }, index) => {
    const field = `kind.references[${index}]`;
    if (parseReferencePath(path) === undefined)
      violations.push({
        field: `${field}.path`,
        description: `${JSON.stringify(path)} is no path into a spec: write as in from, tables[], joins[].table`,
      });
    if (!isSegment(target) || (target !== kind.id && !knownKinds.has(target)))
      violations.push({
        field: `${field}.kind`,
        description: `there is no kind ${target} in this model: create it first`,
      });
  });
  return violations;
}

function parseSchema(text: string, violations: FieldViolation[]): JsonObject | undefined {
  const field = "kind.schema_json";
  const parsed = parseSpec(text);
  if (!parsed.ok) {
    violations.push({ field, description: parsed.message.replace("the spec", "the schema") });
    return undefined;
  }
  const findings = checkSchema(parsed.spec);
  for (const { path, message, remedy } of findings)
    violations.push({ field, description: `${path === "" ? "the schema" : path}: ${message}: ${remedy}` });
  return findings.length === 0 ? parsed.spec : undefined;
}

function checkRules(kind: KindDraft, schema: JsonObject, violations: FieldViolation[]): void {
  const environment = createCelEnvironment({ variables: { spec: schema, name: NAME_SCHEMA } });
  const ids = new Set<string>();
  kind.rules.forEach(({ id, expression }, index) => {
    const field = `kind.rules[${index}]`;
    if (ids.has(id)) violations.push({ field: `${field}.id`, description: `the rule ${id} stands twice` });
    ids.add(id);
    const check = checkCel(expression, environment, { type: "bool" });
    if (check.ok) return;
    for (const { line, column, message, remedy } of check.findings)
      violations.push({
        field: `${field}.expression`,
        description: `line ${line}, column ${column}: ${message}: ${remedy}`,
      });
  });
}
