/**
 * What a query with `runtime: lambda` is to become: its function, the version of it, and the binding that names both.
 *
 * W1. The same model gives the same zip and the same configuration, so a repeat finds what it made before (R6).
 */
import type { ModelView, ViewEntity } from "@greco/conductor-kit";
import { configHashOf, type LambdaContent, type QueryContent, type TableContent } from "@greco/domain/epoch";
import { canonicalJson, parseEntityIdentity, type JsonValue, type ModelId } from "@greco/domain/model";
import { contentOf, specOf, tableKey, type QuerySpec } from "@greco/query-kit";
import { contentHashOf, type FunctionConfig } from "./function-config.ts";
import { functionName, tagsOf, type Owner, type Tags } from "./function-name.ts";
import { LAMBDA_DEFAULTS } from "./limits.ts";

/** `codeSha256`: of the zip, base64, as AWS gives it. */
export type FunctionCode = {
  readonly zip: Uint8Array;
  readonly codeSha256: string;
  readonly unzippedBytes: number;
};

/** How a query with its tables becomes a zip. */
export type Packaging = {
  readonly runtime: string;
  readonly handler: string;
  /** The same from the same, to the byte. */
  codeOf(query: QueryContent, tables: readonly TableContent[], signal: AbortSignal): Promise<FunctionCode>;
};

export type WantedFunction = {
  readonly owner: Owner;
  readonly name: string;
  readonly tags: Tags;
  readonly config: FunctionConfig;
  readonly codeSha256: string;
  readonly contentHash: string;
  readonly zippedBytes: number;
  readonly unzippedBytes: number;
  /** Made again each time: many functions at once must not fill the memory. */
  zip(signal: AbortSignal): Promise<Uint8Array>;
  readonly concurrency: number;
  readonly batch: number;
  readonly reserved: number | undefined;
  readonly provisioned: number | undefined;
  readonly query: QueryContent;
};

export type Wishes = {
  readonly prefix: string;
  /** Of functions whose query names none; undefined: each must. */
  readonly defaultRole: string | undefined;
  readonly packaging: Packaging;
};

/** Empty: neither the query nor the conductor names one; the review vetoes that. */
export function configOf(spec: QuerySpec, { defaultRole, packaging }: Wishes): FunctionConfig {
  const { lambda = {} } = spec;
  return {
    memoryMb: lambda.memoryMb ?? LAMBDA_DEFAULTS.memoryMb,
    timeoutSeconds: lambda.timeoutSeconds ?? defaultTimeout(spec),
    environment: lambda.environment ?? {},
    role: lambda.role ?? defaultRole ?? "",
    architecture: lambda.architecture ?? LAMBDA_DEFAULTS.architecture,
    runtime: packaging.runtime,
    handler: packaging.handler,
  };
}

/** What one message may take must fit into the call. */
const defaultTimeout = ({ timeoutMs = 0 }: QuerySpec): number =>
  Math.max(LAMBDA_DEFAULTS.timeoutSeconds, Math.ceil(timeoutMs / 1_000));

export async function wantedOf(
  model: ModelId,
  entity: ViewEntity,
  view: ModelView,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<WantedFunction> {
  const spec = specOf(entity.spec);
  const { lambda = {} } = spec;
  const query = contentOf(parseEntityIdentity(entity.identity).name, entity.spec, view);
  const tables = tablesOf(query, view);
  const owner: Owner = { prefix: wishes.prefix, model, entity: entity.identity };
  const config = configOf(spec, wishes);
  const { zip, codeSha256, unzippedBytes } = await wishes.packaging.codeOf(query, tables, signal);
  return {
    owner,
    name: functionName(owner),
    tags: tagsOf(owner),
    config,
    codeSha256,
    contentHash: contentHashOf(codeSha256, config),
    zippedBytes: zip.byteLength,
    unzippedBytes,
    zip: async (again) => (await wishes.packaging.codeOf(query, tables, again)).zip,
    concurrency: lambda.concurrency ?? LAMBDA_DEFAULTS.concurrency,
    batch: lambda.batch ?? LAMBDA_DEFAULTS.batch,
    reserved: lambda.reservedConcurrency,
    provisioned: lambda.provisionedConcurrency,
    query,
  };
}

/** As conductor-tables publishes them; a function holds its tables itself. */
const tablesOf = ({ tables }: QueryContent, view: ModelView): readonly TableContent[] =>
  tables.map((name) => {
    const spec = view.get(tableKey(name))?.spec as Omit<TableContent, "name"> | undefined;
    if (spec === undefined) throw new Error(`table/${name}, which the query looks up, is not in the model`);
    return { name, key: spec.key, schema: spec.schema, rows: spec.rows };
  });

/** What stands in the binding beside the query itself. */
export function lambdaContentOf(wanted: WantedFunction, qualifiedArn: string): LambdaContent {
  const { codeSha256, config, concurrency, batch, reserved, provisioned } = wanted;
  return {
    qualifiedArn,
    codeSha256,
    configHash: configHashOf(config),
    concurrency,
    batch,
    ...(reserved === undefined ? {} : { reservedConcurrency: reserved }),
    ...(provisioned === undefined ? {} : { provisionedConcurrency: provisioned }),
  };
}

/** R6: canonical JSON. Without tables: their rows are in the zip, and the runtime need not have them. */
export function bindingText(wanted: WantedFunction, qualifiedArn: string): string {
  const content: QueryContent = {
    ...wanted.query,
    tables: [],
    lambda: lambdaContentOf(wanted, qualifiedArn),
  };
  return canonicalJson(content as unknown as JsonValue);
}
