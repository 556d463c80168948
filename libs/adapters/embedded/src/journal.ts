/**
 * Conductors' leases and journals. Every write of a journal compares the incarnation (K2's tombstones and I1's
 * votes stand in it): who was taken over is refused. Synchronous.
 */
import type { ConductorId, ModelId } from "@greco/domain/model";
import { type ConductorLease, FencedError, type JournalRecord } from "@greco/ports";
import type { Database } from "./database.ts";

export function readConductor(
  database: Database,
  model: ModelId,
  conductor: ConductorId,
): ConductorLease | undefined {
  const row = database
    .prepare("SELECT incarnation, count FROM conductor WHERE model = ? AND conductor = ?")
    .get(model, conductor);
  if (row === undefined) return undefined;
  return { incarnation: row["incarnation"] as number, count: row["count"] as number };
}

export function takeConductor(database: Database, model: ModelId, conductor: ConductorId): ConductorLease {
  database
    .prepare(
      `INSERT INTO conductor VALUES (?, ?, 1, 0)
        ON CONFLICT (model, conductor) DO UPDATE SET incarnation = incarnation + 1, count = 0`,
    )
    .run(model, conductor);
  return readConductor(database, model, conductor) as ConductorLease;
}

/** Undefined: taken over, or renewed by another. */
export function renewConductor(
  database: Database,
  model: ModelId,
  conductor: ConductorId,
  { incarnation, count }: ConductorLease,
): ConductorLease | undefined {
  const { changes } = database
    .prepare(
      `UPDATE conductor SET count = count + 1
        WHERE model = ? AND conductor = ? AND incarnation = ? AND count = ?`,
    )
    .run(model, conductor, incarnation, count);
  return changes === 0 ? undefined : { incarnation, count: count + 1 };
}

function checkIncarnation(
  database: Database,
  model: ModelId,
  conductor: ConductorId,
  incarnation: number,
): void {
  const standing = readConductor(database, model, conductor)?.incarnation;
  if (standing === incarnation) return;
  throw new FencedError(
    `incarnation ${incarnation} of conductor ${conductor} (model ${model}) may not write: ` +
      `${standing === undefined ? "nobody has taken it" : `incarnation ${standing} has taken over`}; stop`,
  );
}

type Extent = { readonly first: number; readonly last: number };

/** The journal's first and last sequence; an empty one ends at 0. */
function extent(database: Database, model: ModelId, conductor: ConductorId): Extent {
  const row = database
    .prepare(
      "SELECT min(sequence) AS first, max(sequence) AS last FROM journal WHERE model = ? AND conductor = ?",
    )
    .get(model, conductor);
  return { first: (row?.["first"] as number | null) ?? 1, last: (row?.["last"] as number | null) ?? 0 };
}

export function appendJournal(
  database: Database,
  model: ModelId,
  conductor: ConductorId,
  incarnation: number,
  records: readonly JournalRecord[],
): void {
  checkIncarnation(database, model, conductor, incarnation);
  const { first, last } = extent(database, model, conductor);
  let expected = last + 1;
  for (const { sequence, json } of records) {
    if (sequence < expected) {
      checkRepeated(database, model, conductor, first, { sequence, json });
      continue;
    }
    if (sequence !== expected)
      throw new RangeError(
        `the journal of conductor ${conductor} goes on with sequence ${expected}, got ${sequence}: read it again`,
      );
    database.prepare("INSERT INTO journal VALUES (?, ?, ?, ?)").run(model, conductor, sequence, json);
    expected++;
  }
}

/** A repeat is the same record, or one that was compacted since. */
function checkRepeated(
  database: Database,
  model: ModelId,
  conductor: ConductorId,
  first: number,
  { sequence, json }: JournalRecord,
): void {
  if (sequence < first) return;
  const row = database
    .prepare("SELECT json FROM journal WHERE model = ? AND conductor = ? AND sequence = ?")
    .get(model, conductor, sequence);
  if (row?.["json"] !== json)
    throw new RangeError(
      `sequence ${sequence} in the journal of conductor ${conductor} is another record; it stays: read it again`,
    );
}

export function readJournal(
  database: Database,
  model: ModelId,
  conductor: ConductorId,
  afterSequence: number,
  limit: number,
): JournalRecord[] {
  return database
    .prepare(
      `SELECT sequence, json FROM journal
        WHERE model = ? AND conductor = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
    )
    .all(model, conductor, afterSequence, limit)
    .map((row) => ({ sequence: row["sequence"] as number, json: row["json"] as string }));
}

export function compactJournal(
  database: Database,
  model: ModelId,
  conductor: ConductorId,
  incarnation: number,
  upToSequence: number,
  summary: JournalRecord,
): void {
  checkIncarnation(database, model, conductor, incarnation);
  const { first, last } = extent(database, model, conductor);
  if (summary.sequence !== upToSequence || upToSequence > last)
    throw new RangeError(
      `a summary stands at the last sequence that it replaces, at most ${last}; got ${summary.sequence} for ${upToSequence}`,
    );
  // Compacted further already: a late repeat.
  if (upToSequence < first) return;
  database
    .prepare("DELETE FROM journal WHERE model = ? AND conductor = ? AND sequence <= ?")
    .run(model, conductor, upToSequence);
  database
    .prepare("INSERT INTO journal VALUES (?, ?, ?, ?)")
    .run(model, conductor, summary.sequence, summary.json);
}
