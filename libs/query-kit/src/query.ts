/**
 * A query's spec as what is published. The program of a query at an epoch is its binding with those of its
 * tables; so the binding holds no rows, and of the schemas only what its expressions can see. A change of a
 * stream or a table that no expression sees leaves the content, and with it the running program, as it is.
 */
import type { QueryContent } from "@greco/domain/epoch";
import { entityKey, type EntityKey } from "@greco/domain/model";
import { celShapeOf } from "@greco/expression";
import type { ModelView } from "@greco/conductor-kit";
import { QUERY_DEFAULTS } from "./limits.ts";

export type QuerySpec = {
  readonly from: string;
  readonly to: string;
  readonly tables?: readonly string[];
  readonly where?: string;
  readonly select?: Readonly<Record<string, string>>;
  readonly handler?: string;
  readonly onError?: { readonly retries?: number; readonly then?: "dead-letter" | "skip" };
  readonly runtime?: string;
  readonly timeoutMs?: number;
  readonly lambda?: LambdaSpec;
};

/** Of a query with `runtime: lambda`. */
export type LambdaSpec = {
  readonly memoryMb?: number;
  readonly timeoutSeconds?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly role?: string;
  readonly architecture?: "x86_64" | "arm64";
  readonly reservedConcurrency?: number;
  readonly provisionedConcurrency?: number;
  readonly concurrency?: number;
  readonly batch?: number;
};

/** The kind's schema has been checked by the registry; what it says is true here. */
export const specOf = (spec: unknown): QuerySpec => spec as QuerySpec;

/** Kind `query` is shared by several conductors: each takes those of its runtime. */
export const runtimeOf = (spec: unknown): string => specOf(spec).runtime ?? QUERY_DEFAULTS.runtime;

export const streamKey = (name: string): EntityKey => entityKey("stream", name);
export const tableKey = (name: string): EntityKey => entityKey("table", name);

/** A stream's or a table's schema, as it is in `view`; `true` where the entity is missing. */
export const schemaOf = (view: ModelView, key: EntityKey): unknown =>
  (view.get(key)?.spec as { readonly schema?: unknown } | undefined)?.schema ?? true;

export function schemasOf({ from, to, tables = [] }: QuerySpec, view: ModelView) {
  return {
    from: schemaOf(view, streamKey(from)),
    to: schemaOf(view, streamKey(to)),
    tables: Object.fromEntries(tables.map((name) => [name, schemaOf(view, tableKey(name))])),
  };
}

/** What its program is, wherever it runs. */
export function contentOf(name: string, given: unknown, view: ModelView): QueryContent {
  const spec = specOf(given);
  const { from, to, tables = [], where, select, handler, onError, timeoutMs } = spec;
  const schemas = schemasOf(spec, view);
  const shapes = Object.entries(schemas.tables).map(
    ([table, schema]) => [table, celShapeOf(schema)] as const,
  );
  return {
    name,
    from,
    to,
    tables,
    ...(where === undefined ? {} : { where }),
    ...(select === undefined ? {} : { select }),
    ...(handler === undefined ? {} : { handler }),
    onError: {
      retries: onError?.retries ?? QUERY_DEFAULTS.retries,
      then: onError?.then ?? QUERY_DEFAULTS.then,
    },
    timeoutMs: timeoutMs ?? QUERY_DEFAULTS.timeoutMs,
    // A handler is not checked against schemas, so none can change what it is.
    schemas:
      handler === undefined
        ? { from: celShapeOf(schemas.from), tables: Object.fromEntries(shapes) }
        : { from: {}, tables: {} },
  };
}
