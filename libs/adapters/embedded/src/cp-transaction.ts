/**
 * A transaction: compare, then one list of operations or the other, in one revision (I2, I3: the decision is a
 * comparison and a put that nothing can come between). Runs inside the write queue; synchronous.
 */
import {
  type Compare,
  type KeyRange,
  type KeyValue,
  LeaseGoneError,
  type Operation,
  type Transaction,
  type TransactionResult,
} from "@greco/ports";
import type { Database } from "./database.ts";
import { bounds, boundsOf, inBounds, meta, readKey, readPage, setMeta } from "./cp-range.ts";

function holds(actual: number, is: "=" | "!=" | "<" | ">", wanted: number): boolean {
  switch (is) {
    case "=":
      return actual === wanted;
    case "!=":
      return actual !== wanted;
    case "<":
      return actual < wanted;
    case ">":
      return actual > wanted;
  }
}

function compares(database: Database, compare: Compare): boolean {
  const row = readKey(database, compare.key);
  if (compare.target === "value") {
    // As in etcd, an absent key has no value: neither equal nor different.
    if (row?.value == null) return false;
    return (Buffer.compare(row.value, compare.value) === 0) === (compare.is === "=");
  }
  const actual = {
    modRevision: row?.revision ?? 0,
    createRevision: row?.createRevision ?? 0,
    version: row?.version ?? 0,
  };
  return holds(actual[compare.target], compare.is, compare.value);
}

/** Collects the changes of one revision; the revision is taken by the first of them. */
export function createChanges(database: Database): {
  readonly revision: number;
  put(key: string, value: Uint8Array, lease: string | undefined): void;
  /** Deletes what is there. */
  delete(keys: Iterable<string>): void;
} {
  const before = meta(database, "revision");
  let revision = before;

  const record = (
    key: string,
    created: number,
    version: number,
    lease: string | null,
    value: Uint8Array | null,
  ) =>
    Number(
      database
        .prepare(
          "INSERT INTO cp_history (revision, key, createRevision, version, lease, value) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .run(revision, key, created, version, lease, value).lastInsertRowid,
    );
  const take = (): void => {
    if (revision > before) return;
    revision = before + 1;
    setMeta(database, "revision", revision);
  };

  return {
    get revision() {
      return revision;
    },
    put(key, value, lease) {
      take();
      const old = readKey(database, key);
      const id = record(key, old?.createRevision ?? revision, (old?.version ?? 0) + 1, lease ?? null, value);
      database.prepare("INSERT OR REPLACE INTO cp_current VALUES (?, ?, ?)").run(key, id, lease ?? null);
    },
    delete(keys) {
      for (const key of keys) {
        take();
        record(key, 0, 0, null, null);
        database.prepare("DELETE FROM cp_current WHERE key = ?").run(key);
      }
    },
  };
}

function keysIn(database: Database, range: KeyRange): string[] {
  const at = bounds(range);
  const after = "prefix" in range ? range.after : undefined;
  const rows = database
    .prepare(
      `SELECT key FROM cp_current WHERE ${inBounds(at, "key")}${after === undefined ? "" : " AND key > $after"}`,
    )
    .all({ ...boundsOf(at), ...(after === undefined ? {} : { after }) });
  return rows.map((row) => row["key"] as string);
}

function leaseExists(database: Database, lease: string): boolean {
  return database.prepare("SELECT 1 FROM cp_lease WHERE id = ?").get(lease) !== undefined;
}

const NOTHING: readonly KeyValue[] = [];

export function runTransaction(database: Database, transaction: Transaction): TransactionResult {
  const succeeded = transaction.compare.every((compare) => compares(database, compare));
  const operations: readonly Operation[] = succeeded ? transaction.then : (transaction.else ?? []);
  const changes = createChanges(database);
  const responses = operations.map((operation): readonly KeyValue[] => {
    switch (operation.type) {
      case "put":
        if (operation.lease !== undefined && !leaseExists(database, operation.lease))
          throw new LeaseGoneError(`lease ${operation.lease} has lapsed: grant another and write again`);
        changes.put(operation.key, operation.value, operation.lease);
        return NOTHING;
      case "delete":
        changes.delete(keysIn(database, operation.range));
        return NOTHING;
      case "get": {
        const options = operation.options ?? {};
        return readPage(database, bounds(operation.range), options, options.revision ?? changes.revision, {
          after: "prefix" in operation.range ? operation.range.after : undefined,
          limit: options.limit ?? Number.MAX_SAFE_INTEGER - 1,
          bytes: Number.POSITIVE_INFINITY,
        }).entries;
      }
    }
  });
  return { succeeded, revision: changes.revision, responses };
}
