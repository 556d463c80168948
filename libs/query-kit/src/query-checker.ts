/**
 * Everything that may be wrong with a query in the model as it would be: entity, field, column, reason, remedy.
 * Wherever it runs: what a runtime cannot do beside that is its own conductor's to find.
 */
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
import { schemaOf, schemasOf, specOf, streamKey, tableKey, type QuerySpec } from "./query.ts";

type Found = Omit<Finding, "severity" | "entity">;

/** The checks of one review. What queries have in common (streams, tables) is looked at once. */
export class QueryChecker {
  readonly #before: ModelView;
  readonly #after: ModelView;
  readonly #sound = new Map<EntityKey, boolean>();
  readonly #environments = new Map<string, CelEnvironment>();

  constructor(before: ModelView, after: ModelView) {
    this.#before = before;
    this.#after = after;
  }

  findingsOf(each: Affected): readonly Finding[] {
    if (each.after === undefined) return [];
    const spec = specOf(each.after.spec);
    const found = spec.handler === undefined ? this.#checkExpressions(spec) : handlerFindings(spec.handler);
    if (found.length === 0) return [];
    // What the query itself did not change, something that it stands on has broken.
    const culprits = each.change === "none" ? changedUnder(spec, this.#before, this.#after) : [];
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

  /** Whether its schema is one. If not, that is another conductor's finding. */
  #isSound(key: EntityKey): boolean {
    const known = this.#sound.get(key);
    if (known !== undefined) return known;
    const sound = checkSchema(schemaOf(this.#after, key)).length === 0;
    this.#sound.set(key, sound);
    return sound;
  }

  #environmentOf({ from, tables = [] }: QuerySpec, schemas: ReturnType<typeof schemasOf>): CelEnvironment {
    const key = [from, ...tables].join(" ");
    let environment = this.#environments.get(key);
    if (environment === undefined) {
      environment = createCelEnvironment({ variables: { event: schemas.from }, tables: schemas.tables });
      this.#environments.set(key, environment);
    }
    return environment;
  }

  #checkExpressions(spec: QuerySpec): readonly Found[] {
    const under = standsOn(spec);
    if (!under.every((key) => this.#isSound(key))) return [];
    const schemas = schemasOf(spec, this.#after);
    const environment = this.#environmentOf(spec, schemas);
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
    for (const { field, ...one } of checkOutputs(spec.to, schemas.to, given)) {
      const fieldPath = field === undefined ? "select" : `select.${field}`;
      // An expression that does not compile is wrong already.
      if (!found.some((other) => other.fieldPath === fieldPath)) found.push({ fieldPath, ...one });
    }
    return found;
  }
}

const handlerFindings = (source: string): readonly Found[] =>
  checkHandler(source).map((one) => ({ fieldPath: "handler", ...one }));

const standsOn = ({ from, to, tables = [] }: QuerySpec): readonly EntityKey[] => [
  streamKey(from),
  streamKey(to),
  ...tables.map(tableKey),
];

function changedUnder(spec: QuerySpec, before: ModelView, after: ModelView): readonly EntityKey[] {
  return standsOn(spec).filter((key) => {
    const [old, now] = [before.get(key), after.get(key)];
    return !equalJson(old?.spec as JsonValue | undefined, now?.spec as JsonValue | undefined);
  });
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
