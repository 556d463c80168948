/**
 * What AWS gets of a query: a zip of our code, the query and its tables.
 *
 * Reproducible: the same in gives the same bytes out, on every machine, in every time zone and in every order of keys,
 * because a version is found by the SHA-256 of its zip.
 */
import { createHash } from "node:crypto";
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import { canonicalJson, type JsonValue } from "@greco/domain/model";
import { strToU8, zipSync, type ZipOptions } from "fflate";

export type FunctionCode = {
  readonly zip: Uint8Array;
  /** Base64, as AWS gives it. */
  readonly codeSha256: string;
  readonly unzippedBytes: number;
};

export const FUNCTION_RUNTIME = "nodejs22.x";
export const FUNCTION_HANDLER = "index.handler";

/** Local components, as a zip has them: noon is there in every time zone. */
const mtime = new Date(2000, 0, 1, 12);
const UNIX = 3;
const READABLE_BY_ALL = 0o100644 << 16;
const entry: ZipOptions = { mtime, os: UNIX, attrs: READABLE_BY_ALL, level: 9 };

/** What differs from one function to the next: texts by file name. */
export type FunctionData = { readonly "query.json": string; readonly "tables.json": string };

export function functionData(query: QueryContent, tables: readonly TableContent[]): FunctionData {
  const byName = Object.fromEntries(tables.map((table) => [table.name, table]));
  return { "query.json": jsonOf(seenByFunction(query)), "tables.json": jsonOf(byName) };
}

/** `source`: what `functionSource` gives. */
export const functionCode = (
  source: string,
  query: QueryContent,
  tables: readonly TableContent[],
): FunctionCode => zipped(source, functionData(query, tables));

export function zipped(source: string, data: FunctionData): FunctionCode {
  const files = {
    "index.mjs": strToU8(source),
    "query.json": strToU8(data["query.json"]),
    "tables.json": strToU8(data["tables.json"]),
  };
  const zip = zipSync(files, entry);
  return {
    zip,
    codeSha256: createHash("sha256").update(zip).digest("base64"),
    unzippedBytes: Object.values(files).reduce((sum, { length }) => sum + length, 0),
  };
}

/** Only what changes what the function does: where the query reads and how often it tries again is the runtime's. */
function seenByFunction(query: QueryContent): object {
  const { name, where, select, handler, timeoutMs, schemas } = query;
  return { name, tables: query.tables.toSorted(), where, select, handler, timeoutMs, schemas };
}

/** What is undefined is left out. */
function jsonOf(value: object): string {
  return canonicalJson(JSON.parse(JSON.stringify(value)) as JsonValue);
}
