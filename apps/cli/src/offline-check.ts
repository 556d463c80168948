/**
 * What can be said of entity files without any service: the built-in kinds' schemas and rules, JSON Schemas,
 * references among the files, cycles, and expressions over the streams and tables that are among them. The registry
 * and the conductors have the last word: they know the model's own kinds, its other entities, and what is stored.
 */
import { Severity } from "@greco/contracts/greco/model/v1/model";
import {
  applyChanges,
  BUILT_IN_KINDS,
  type ChangeSet,
  checkChanges,
  emptyState,
  entityKey,
  finding,
  type Finding,
  type Kind,
  OrderedMap,
  parseSpec,
} from "@greco/domain/model";
import type { EntityFile } from "@greco/entity-files";
import {
  checkCel,
  checkSchema,
  compileCel,
  compileSchema,
  createCelEnvironment,
  type CelEnvironment,
  type CelExpectation,
} from "@greco/expression";
import type { FindingView } from "./finding-view.ts";

export type Checked = {
  readonly findings: readonly FindingView[];
  /** Kinds that only the model knows. */
  readonly unknownKinds: readonly string[];
};

const KINDS = new Map(BUILT_IN_KINDS.map((kind) => [String(kind.id), kind]));

export function checkFiles(files: readonly EntityFile[]): Checked {
  const known = files.filter(({ kind }) => KINDS.has(kind));
  const unknownKinds = [...new Set(files.map(({ kind }) => kind).filter((kind) => !KINDS.has(kind)))];
  const findings: Finding[] = [];
  const lines: [string, { action: "put"; specJson: string }][] = [];
  for (const { kind, name, spec } of known) {
    const key = entityKey(kind, name);
    const parsed = parseSpec(JSON.stringify(spec));
    if (parsed.ok) {
      lines.push([key, { action: "put", specJson: parsed.specJson }]);
      for (const { reason, path, message, remedy } of parsed.notes)
        findings.push(finding(key, reason, message, remedy, { severity: "warning", fieldPath: path }));
    } else
      findings.push(finding(key, parsed.reason, parsed.message, "correct it", { fieldPath: parsed.path }));
  }
  const changes: ChangeSet = OrderedMap.of(lines.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const before = emptyState();
  const after = applyChanges(before, changes.entries(), 1, KINDS);
  findings.push(...checkChanges({ before, after }, changes, KINDS, checkSpec).map(softened));
  findings.push(...known.flatMap((file) => checkContent(file, known)));
  return { findings: findings.map(toView), unknownKinds };
}

/** What is not among the files may well be in the model. */
function softened(one: Finding): Finding {
  if (one.reason !== "UNKNOWN_REFERENCE") return one;
  return {
    ...one,
    severity: "warning",
    message: one.message.replace("which does not exist", "which is not among these files"),
    remedy: "it must be in the model, or in the same draft",
  };
}

function toView({ severity, entity, ...rest }: Finding): FindingView {
  return {
    ...rest,
    entity: entity ?? "",
    severity: severity === "error" ? Severity.ERROR : Severity.WARNING,
  };
}

function checkSpec(kind: Kind, key: string, spec: object): readonly Finding[] {
  const errors = compileSchema(kind.schema).validate(spec);
  if (errors.length > 0)
    return errors.map(({ path, message }) =>
      finding(
        key,
        "SPEC_INVALID",
        `${path === "" ? "the spec" : path} ${message}`,
        `greco explain ${kind.id}`,
        {
          fieldPath: path,
        },
      ),
    );
  const environment = createCelEnvironment({ variables: { spec: kind.schema, name: { type: "string" } } });
  const name = key.slice(key.indexOf("/") + 1);
  return kind.rules
    .filter(
      ({ expression }) => compileCel(expression, environment, { type: "bool" })({ spec, name }) !== true,
    )
    .map(({ id, message }) => finding(key, "RULE_BROKEN", message, `change it so that the rule ${id} holds`));
}

function checkContent(file: EntityFile, files: readonly EntityFile[]): readonly Finding[] {
  const key = entityKey(file.kind, file.name);
  if (file.kind !== "query")
    return checkSchema(file.spec["schema"]).map(({ path, reason, message, remedy }) =>
      finding(key, reason, message, remedy, { fieldPath: path === "" ? "schema" : `schema.${path}` }),
    );
  const environment = environmentOf(file, files);
  if (environment === undefined) return [];
  const { where, select } = file.spec as { where?: unknown; select?: Record<string, unknown> };
  return [
    ...checkExpression(key, "where", where, environment, { type: "bool" }),
    ...Object.entries(select ?? {}).flatMap(([field, source]) =>
      checkExpression(key, `select.${field}`, source, environment, {}),
    ),
  ];
}

/** Undefined: a stream or table that the query names is not here, or is wrong itself. */
function environmentOf({ spec }: EntityFile, files: readonly EntityFile[]): CelEnvironment | undefined {
  const schemaOf = (kind: string, name: unknown): unknown => {
    const schema = files.find((each) => each.kind === kind && each.name === name)?.spec["schema"];
    return schema === undefined || checkSchema(schema).length > 0 ? undefined : schema;
  };
  const names: readonly unknown[] = Array.isArray(spec["tables"]) ? spec["tables"] : [];
  const event = schemaOf("stream", spec["from"]);
  const tables = names.map((name) => [String(name), schemaOf("table", name)] as const);
  if (event === undefined || tables.some(([, schema]) => schema === undefined)) return undefined;
  return createCelEnvironment({ variables: { event }, tables: Object.fromEntries(tables) });
}

function checkExpression(
  key: string,
  fieldPath: string,
  source: unknown,
  environment: CelEnvironment,
  expected: CelExpectation,
): readonly Finding[] {
  if (typeof source !== "string") return [];
  const checked = checkCel(source, environment, expected);
  if (checked.ok) return [];
  return checked.findings.map(({ reason, message, column, remedy }) =>
    finding(key, reason, message, remedy, { fieldPath, column }),
  );
}
