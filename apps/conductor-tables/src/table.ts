/** A table's spec as what is published, and everything that may be wrong with it, to the row and the field. */
import type { Finding } from "@greco/conductor-kit";
import { canonicalJson, type EntityKey, type JsonValue } from "@greco/domain/model";
import type { TableContent } from "@greco/domain/epoch";
import { checkSchema, compileSchema } from "@greco/expression";
import { nearest } from "@greco/service-kit";
import { TABLE_BYTES_MAX } from "./limits.ts";

type Row = Readonly<Record<string, unknown>>;
type TableSpec = { readonly key: string; readonly schema: unknown; readonly rows: readonly Row[] };

/** The kind's schema has been checked by the registry; what it says is true here. */
export const specOf = (spec: unknown): TableSpec => spec as TableSpec;

export const contentOf = (name: string, spec: unknown): string => {
  const { key, schema, rows } = specOf(spec);
  return canonicalJson({ name, key, schema, rows } satisfies TableContent as unknown as JsonValue);
};

export function findingsOf(entity: EntityKey, name: string, spec: unknown): readonly Finding[] {
  const { key, schema, rows } = specOf(spec);
  const finding = (fieldPath: string, reason: string, message: string, remedy: string): Finding => ({
    severity: "error",
    entity,
    fieldPath,
    reason,
    message,
    remedy,
  });
  const wrong = checkSchema(schema);
  if (wrong.length > 0)
    return wrong.map(({ path, reason, message, remedy }) =>
      finding(path === "" ? "schema" : `schema.${path}`, reason, message, remedy),
    );
  const bytes = Buffer.byteLength(contentOf(name, spec));
  if (bytes > TABLE_BYTES_MAX)
    return [
      finding(
        "rows",
        "TABLE_TOO_LARGE",
        `the table has ${bytes} bytes as JSON, at most ${TABLE_BYTES_MAX} are allowed`,
        "keep what queries look up, or split it into several tables",
      ),
    ];
  const { validate } = compileSchema(schema);
  const firstWith = new Map<string, number>();
  return rows.flatMap((row, index): readonly Finding[] => {
    const at = `rows[${index}]`;
    const value = Object.hasOwn(row, key) ? row[key] : undefined;
    const findings = validate(row).map(({ path, message }) =>
      finding(
        path === "" ? at : `${at}.${path}`,
        "ROW_INVALID",
        `row ${index}: ${path === "" ? "it" : path} ${message}`,
        "correct the row, or the schema",
      ),
    );
    if (value === undefined) {
      const near = nearest(key, Object.keys(row));
      findings.push(
        finding(
          `${at}.${key}`,
          "KEY_MISSING",
          `row ${index} has no ${key}, which is the table's key`,
          near === undefined ? `give it one` : `give it one; did you mean ${near}?`,
        ),
      );
    } else if (typeof value !== "string")
      findings.push(
        finding(
          `${at}.${key}`,
          "KEY_NOT_TEXT",
          `row ${index}: the key ${key} is ${JSON.stringify(value)}, which is no text`,
          "write the key as a string: queries look rows up by text",
        ),
      );
    else {
      const first = firstWith.get(value);
      if (first === undefined) firstWith.set(value, index);
      else
        findings.push(
          finding(
            `${at}.${key}`,
            "KEY_REPEATED",
            `row ${index} has the key ${JSON.stringify(value)} of row ${first}`,
            "keep one of the two rows",
          ),
        );
    }
    return findings;
  });
}
