/** Writers' leases (R2): one integer each, touched by compare-and-swap only. Synchronous. */
import type { WriterId, WriterLease } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import { LaneConflictError } from "@greco/ports";
import type { Database } from "./database.ts";

/** The count of a new lease. */
const FIRST = 1;

export function leaseOf(database: Database, model: ModelId, writer: WriterId): WriterLease | undefined {
  const row = database
    .prepare("SELECT count, state FROM writer_lease WHERE model = ? AND writer = ?")
    .get(model, writer);
  if (row === undefined) return undefined;
  return { writer, count: row["count"] as number, state: row["state"] as WriterLease["state"] };
}

/** Creates it if there is none; returns what stands. */
export function create(database: Database, model: ModelId, writer: WriterId): WriterLease {
  database.prepare("INSERT OR IGNORE INTO writer_lease VALUES (?, ?, ?, 'held')").run(model, writer, FIRST);
  return leaseOf(database, model, writer) as WriterLease;
}

/** count → count + 1 while held. */
export function renew(
  database: Database,
  model: ModelId,
  writer: WriterId,
  count: number,
): WriterLease | undefined {
  const { changes } = database
    .prepare(
      `UPDATE writer_lease SET count = count + 1
        WHERE model = ? AND writer = ? AND count = ? AND state = 'held'`,
    )
    .run(model, writer, count);
  return changes === 0 ? undefined : { writer, count: count + 1, state: "held" };
}

function missing(writer: WriterId): LaneConflictError {
  return new LaneConflictError(`writer ${writer} has no lease: create it first`);
}

/** held at `count` → closing; returns what stands. */
export function close(database: Database, model: ModelId, writer: WriterId, count: number): WriterLease {
  database
    .prepare(
      `UPDATE writer_lease SET state = 'closing'
        WHERE model = ? AND writer = ? AND count = ? AND state = 'held'`,
    )
    .run(model, writer, count);
  const lease = leaseOf(database, model, writer);
  if (lease === undefined) throw missing(writer);
  return lease;
}

/** closing → closed; closed stays. */
export function finish(database: Database, model: ModelId, writer: WriterId): void {
  const lease = leaseOf(database, model, writer);
  if (lease === undefined) throw missing(writer);
  if (lease.state === "held")
    throw new LaneConflictError(`the lease of writer ${writer} is held: close it before finishing it`);
  database
    .prepare("UPDATE writer_lease SET state = 'closed' WHERE model = ? AND writer = ?")
    .run(model, writer);
}
