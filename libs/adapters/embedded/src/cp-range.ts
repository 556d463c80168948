/** Ranges of keys: bounds in byte order, and reads of the present and of the past. All synchronous. */
import { CompactedError, type KeyRange, type KeyValue, type ReadOptions } from "@greco/ports";
import type { Database } from "./database.ts";
import type { HistoryRow } from "./cp-schema.ts";

/** `from` ≤ key < `to`, or the one key; SQLite compares UTF-8 bytes, whose order is that of code points. */
export type Bounds = { readonly key: string } | { readonly from: string; readonly to: string | undefined };

/** The least text above every text that begins with `prefix`; undefined: none. */
function prefixEnd(prefix: string): string | undefined {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) as number;
    if (point === 0x10ffff) continue;
    // Surrogates are no characters of their own.
    const next = point === 0xd7ff ? 0xe000 : point + 1;
    return points.join("") + String.fromCodePoint(next);
  }
  return undefined;
}

export function bounds(range: KeyRange): Bounds {
  if ("key" in range) return { key: range.key };
  return { from: range.prefix, to: prefixEnd(range.prefix) };
}

export function inBounds(at: Bounds, column: string): string {
  if ("key" in at) return `${column} = $key`;
  return at.to === undefined ? `${column} >= $from` : `${column} >= $from AND ${column} < $to`;
}

export function boundsOf(at: Bounds): Record<string, string> {
  if ("key" in at) return { key: at.key };
  return at.to === undefined ? { from: at.from } : { from: at.from, to: at.to };
}

export function meta(database: Database, name: "revision" | "compacted" | "leases"): number {
  return (database.prepare("SELECT value FROM cp_meta WHERE name = ?").get(name) as { value: number }).value;
}

export function setMeta(database: Database, name: "revision" | "compacted" | "leases", value: number): void {
  database.prepare("UPDATE cp_meta SET value = ? WHERE name = ?").run(value, name);
}

export function toKeyValue(row: HistoryRow): KeyValue {
  return {
    key: row.key,
    value: row.value ?? new Uint8Array(),
    createRevision: row.createRevision,
    modRevision: row.revision,
    version: row.version,
    ...(row.lease === null ? {} : { lease: row.lease }),
  };
}

const COLUMNS = "h.revision, h.key, h.createRevision, h.version, h.lease";

export type Page = {
  readonly after: string | undefined;
  readonly limit: number;
  /** The page ends with the entry that reaches it: one result never holds much more. */
  readonly bytes: number;
};

/** The state now, in one stream of rows. */
function present(database: Database, at: Bounds, options: ReadOptions, page: Page): Iterable<HistoryRow> {
  const value = options.keysOnly === true ? "x'' AS value" : "h.value";
  const [side, order] = options.descending === true ? ["<", "DESC"] : [">", "ASC"];
  const filter = inBounds(at, "c.key") + (page.after === undefined ? "" : ` AND c.key ${side} $after`);
  const rows = database
    .prepare(
      `SELECT ${COLUMNS}, ${value} FROM cp_current c JOIN cp_history h ON h.id = c.id
        WHERE ${filter} ORDER BY c.key ${order} LIMIT $limit`,
    )
    .iterate({
      ...boundsOf(at),
      ...(page.after === undefined ? {} : { after: page.after }),
      limit: page.limit + 1,
    });
  return rows as Iterable<unknown> as Iterable<HistoryRow>;
}

/** The state at a revision: from key to key, each time straight to its newest change by then. */
function* past(
  database: Database,
  at: Bounds,
  options: ReadOptions,
  page: Page,
  revision: number,
): Generator<HistoryRow, void, undefined> {
  const value = options.keysOnly === true ? "iif(h.value IS NULL, NULL, x'') AS value" : "h.value";
  const [side, order] = options.descending === true ? ["<", "DESC"] : [">", "ASC"];
  const nextKey = (after: string | undefined): string | undefined =>
    database
      .prepare(
        `SELECT key FROM cp_history WHERE ${inBounds(at, "key")}
          ${after === undefined ? "" : `AND key ${side} $after`} ORDER BY key ${order} LIMIT 1`,
      )
      .get({ ...boundsOf(at), ...(after === undefined ? {} : { after }) })?.["key"] as string | undefined;
  const newest = database.prepare(
    `SELECT ${COLUMNS}, ${value} FROM cp_history h
      WHERE h.key = ? AND h.revision <= ? ORDER BY h.revision DESC LIMIT 1`,
  );
  for (let key = nextKey(page.after); key !== undefined; key = nextKey(key)) {
    const row = newest.get(key, revision) as HistoryRow | undefined;
    if (row?.value != null) yield row;
  }
}

/** One page of the state at `revision`, which must be at or below the store's; `more` when it did not hold all. */
export function readPage(
  database: Database,
  at: Bounds,
  options: ReadOptions,
  revision: number,
  page: Page,
): { readonly entries: KeyValue[]; readonly more: boolean } {
  const now = meta(database, "revision");
  if (revision > now)
    throw new RangeError(
      `revision ${revision} is in the future: the store stands at ${now}; read without one`,
    );
  const compacted = meta(database, "compacted");
  if (revision < compacted) throw new CompactedError(compacted);
  const rows =
    revision < now ? past(database, at, options, page, revision) : present(database, at, options, page);
  const entries: KeyValue[] = [];
  let bytes = 0;
  // Leaving the loop closes the cursor.
  for (const row of rows) {
    if (entries.length === page.limit || bytes >= page.bytes) return { entries, more: true };
    entries.push(toKeyValue(row));
    bytes += row.key.length + (row.value?.length ?? 0);
  }
  return { entries, more: false };
}

/** The key as it is now. */
export function readKey(database: Database, key: string): HistoryRow | undefined {
  return database
    .prepare(`SELECT ${COLUMNS}, h.value FROM cp_current c JOIN cp_history h ON h.id = c.id WHERE c.key = ?`)
    .get(key) as HistoryRow | undefined;
}
