/** A program's texts, read: what the binding's writer promised is checked, because a binding outlives its writer. */
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import { type Program, ProgramLoadError } from "@greco/ports";

/** What goes to a worker. */
export type ProgramSource = {
  readonly id: string;
  readonly query: QueryContent;
  readonly tables: readonly TableContent[];
};

const timeoutDefaultMs = 1_000;

/** Throws `ProgramLoadError`. */
export function readProgram(program: Program): ProgramSource {
  const query = readQuery(program.query);
  const tables = query.tables.map((name) => {
    const text = Object.hasOwn(program.tables, name) ? program.tables[name] : undefined;
    if (text === undefined)
      throw bad(`tables.${name}`, `the program lacks the table ${JSON.stringify(name)}`);
    return readTable(name, text);
  });
  return { id: program.id, query, tables };
}

function bad(place: string, message: string, cause?: unknown): ProgramLoadError {
  return new ProgramLoadError("BAD_PROGRAM", place, message, { cause });
}

function readQuery(text: string): QueryContent {
  const query = parse("", text) as Partial<QueryContent>;
  const isText = (value: unknown): boolean => value === undefined || typeof value === "string";
  if (typeof query.name !== "string") throw bad("name", "the query's binding has no name");
  if (!isText(query.where)) throw bad("where", "where is no text");
  if (!isText(query.handler)) throw bad("handler", "handler is no text");
  if (query.handler !== undefined && (query.select !== undefined || query.where !== undefined)) {
    throw bad("handler", "a query has either a handler, or where and select");
  }
  const fields = Object.entries(query.select ?? {});
  const wrong = fields.find(([, expression]) => typeof expression !== "string");
  if (wrong !== undefined) throw bad(`select.${wrong[0]}`, "an expression is a text");
  return {
    ...(query as QueryContent),
    tables: Array.isArray(query.tables) ? query.tables : [],
    timeoutMs: typeof query.timeoutMs === "number" ? query.timeoutMs : timeoutDefaultMs,
    schemas: { from: query.schemas?.from ?? {}, tables: query.schemas?.tables ?? {} },
  };
}

function readTable(name: string, text: string): TableContent {
  const place = `tables.${name}`;
  const table = parse(place, text) as Partial<TableContent>;
  if (typeof table.key !== "string" || !Array.isArray(table.rows))
    throw bad(place, "a table has a key and rows");
  for (const [index, row] of table.rows.entries()) {
    const key: unknown = row?.[table.key];
    if (typeof key !== "string") throw bad(`${place}.rows[${index}]`, `the key ${table.key} is no text`);
  }
  return { ...(table as TableContent), name };
}

function parse(place: string, text: string): object {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw bad(place, `the binding is no JSON: ${String(error)}`, error);
  }
  throw bad(place, "the binding is no object");
}
