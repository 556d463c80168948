/** In the worker: a query of expressions, compiled. */
import type { TableContent } from "@greco/domain/epoch";
import {
  CelCompileError,
  CelError,
  compileCel,
  type CompiledCel,
  createCelEnvironment,
} from "@greco/expression/cel";
import { JsonError, parseJson } from "@greco/expression/json";
import { ProgramLoadError } from "@greco/ports";
import type { ProgramSource } from "./program.ts";
import type { Failure } from "./protocol.ts";

/** The output's JSON, or undefined: the message is filtered out. Throws for messages that it fails on. */
export type ExpressionProgram = (payload: Uint8Array) => string | typeof unchanged | undefined;

/** The output is the input, byte for byte. */
export const unchanged = Symbol("unchanged");

/** Throws `ProgramLoadError`. */
export function compileExpressions({ query, tables: contents }: ProgramSource): ExpressionProgram {
  const environment = createCelEnvironment({
    variables: { event: query.schemas.from },
    tables: {
      ...Object.fromEntries(contents.map(({ name, schema }) => [name, schema])),
      ...query.schemas.tables,
    },
  });
  const compile = (place: string, source: string, type?: "bool"): CompiledCel => {
    try {
      return named(place, compileCel(source, environment, type === undefined ? {} : { type }));
    } catch (error) {
      if (!(error instanceof CelCompileError)) throw error;
      throw new ProgramLoadError("BAD_EXPRESSION", place, error.message, { cause: error });
    }
  };
  const where = query.where === undefined ? undefined : compile("where", query.where, "bool");
  const select =
    query.select &&
    Object.entries(query.select).map(([field, source]) => ({
      prefix: `${JSON.stringify(field)}:`,
      evaluate: compile(`select.${field}`, source),
    }));
  const tables = new Map(contents.map((table) => [table.name, mapOfRows(table)]));
  if (where === undefined && select === undefined) return () => unchanged;
  return (payload) => {
    const bindings = { event: parseJson(payload), tables };
    if (where !== undefined && where(bindings) !== true) return undefined;
    if (select === undefined) return unchanged;
    let output = "{";
    for (const { prefix, evaluate } of select) {
      output += output.length === 1 ? prefix : `,${prefix}`;
      output += JSON.stringify(evaluate(bindings));
    }
    return `${output}}`;
  };
}

/** What the expression throws names the field that it stands in. */
function named(place: string, evaluate: CompiledCel): CompiledCel {
  return (bindings) => {
    try {
      return evaluate(bindings);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      throw new CelError(error.reason, `${place}: ${error.message}`, { cause: error });
    }
  };
}

/** Maps, because CEL takes them whatever their keys are. */
function mapOfRows({ key, rows }: TableContent): ReadonlyMap<string, unknown> {
  return new Map(rows.map((row) => [row[key] as string, rowOf(row)]));
}

function rowOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rowOf);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, rowOf(item)] as const);
  return Object.hasOwn(value, "constructor") ? new Map(entries) : Object.fromEntries(entries);
}

/** Expressions are pure: what failed fails again. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CelError) return { reason: error.reason, message, retryable: false };
  if (error instanceof JsonError)
    return { reason: "BAD_PAYLOAD", message: `the payload: ${message}`, retryable: false };
  return { reason: "EVALUATION_FAILED", message, retryable: false };
}
