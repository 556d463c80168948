/** A stream's spec as what is published, and what may be wrong with it by itself. */
import type { Finding } from "@greco/conductor-kit";
import type { StreamContent } from "@greco/domain/epoch";
import { canonicalJson, type EntityKey, type JsonValue } from "@greco/domain/model";
import { checkSchema } from "@greco/expression";
import { nearest } from "@greco/service-kit";
import { STREAM_LIMITS } from "./limits.ts";

export type StreamSpec = {
  readonly schema: unknown;
  readonly key?: string;
  readonly lanes?: number;
  readonly retention?: string;
  readonly access?: StreamContent["access"];
  readonly compatibility?: "checked" | "unchecked";
};

/** The kind's schema has been checked by the registry; what it says is true here. */
export const specOf = (spec: unknown): StreamSpec => spec as StreamSpec;

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `7d`, `36h`, `30m`, `45s`; undefined: it is none of them. */
export function parseRetention(text: string): number | undefined {
  const [, count, unit = ""] = /^([1-9][0-9]{0,8})([smhd])$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (UNITS[unit] ?? 1);
}

export function contentOf(name: string, spec: unknown): string {
  const { schema, key, lanes = STREAM_LIMITS.lanesDefault, retention, access } = specOf(spec);
  const retentionMs = retention === undefined ? undefined : parseRetention(retention);
  const content: StreamContent = {
    name,
    schema,
    lanes,
    ...(key === undefined ? {} : { key }),
    ...(retentionMs === undefined ? {} : { retentionMs }),
    ...(access === undefined ? {} : { access }),
  };
  return canonicalJson(content as unknown as JsonValue);
}

export function findingsOf(entity: EntityKey, spec: unknown): readonly Finding[] {
  const { schema, key, lanes, retention } = specOf(spec);
  const finding = (fieldPath: string, reason: string, message: string, remedy: string): Finding => ({
    severity: "error",
    entity,
    fieldPath,
    reason,
    message,
    remedy,
  });
  const findings = checkSchema(schema).map(({ path, reason, message, remedy }) =>
    finding(path === "" ? "schema" : `schema.${path}`, reason, message, remedy),
  );
  const { lanesMax, retentionMaxMs } = STREAM_LIMITS;
  if (lanes !== undefined && !(Number.isInteger(lanes) && lanes >= 1 && lanes <= lanesMax))
    findings.push(
      finding(
        "lanes",
        "LANES_OUT_OF_RANGE",
        `lanes is ${lanes}`,
        `take a whole number from 1 to ${lanesMax}`,
      ),
    );
  if (retention !== undefined) {
    const ms = parseRetention(retention);
    if (ms === undefined || ms > retentionMaxMs)
      findings.push(
        finding(
          "retention",
          "RETENTION_OUT_OF_RANGE",
          `retention ${JSON.stringify(retention)} is ${ms === undefined ? "no time" : "longer than ten years"}`,
          "write it as 7d, 36h, 30m or 45s, or leave it out to keep messages for ever",
        ),
      );
  }
  if (key !== undefined && findings.length === 0) findings.push(...keyFindings(schema, key, finding));
  return findings;
}

type MakeFinding = (fieldPath: string, reason: string, message: string, remedy: string) => Finding;

/** A schema that says nothing of its fields (`true`, an open object) allows any key. */
function keyFindings(schema: unknown, key: string, finding: MakeFinding): readonly Finding[] {
  const properties = propertiesOf(schema);
  if (properties === undefined) return [];
  if (!Object.hasOwn(properties, key)) {
    const known = Object.keys(properties);
    const near = nearest(key, known);
    const remedy =
      near !== undefined
        ? `did you mean ${near}?`
        : `declare it, or take one of ${known.slice(0, 10).join(", ")}`;
    return [finding("key", "UNKNOWN_FIELD", `the schema has no field ${JSON.stringify(key)}`, remedy)];
  }
  const { type } = (properties[key] ?? {}) as { readonly type?: unknown };
  const types = Array.isArray(type) ? (type as unknown[]) : [type];
  if (
    type === undefined ||
    types.some((each) => each === "string" || each === "integer" || each === "number")
  )
    return [];
  return [
    finding(
      "key",
      "KEY_NOT_TEXT",
      `the field ${JSON.stringify(key)} is of type ${types.join(" or ")}, which makes no key`,
      "take a field that is a string or a number",
    ),
  ];
}

function propertiesOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  const { properties, additionalProperties, patternProperties, $ref, allOf, anyOf, oneOf } =
    schema as Readonly<Record<string, unknown>>;
  const open = additionalProperties !== undefined && additionalProperties !== false;
  // Fields may be declared elsewhere.
  if (open || [patternProperties, $ref, allOf, anyOf, oneOf].some((each) => each !== undefined))
    return undefined;
  return typeof properties === "object" && properties !== null ? { ...properties } : undefined;
}
