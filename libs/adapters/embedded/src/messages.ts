/**
 * The rows of lanes. R1: a seq is bound to its content when it is first inserted; the same again is no error,
 * another content is refused and changes nothing. Synchronous; run inside `read` or `write`.
 */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import { type Append, BelowRetentionError, LaneConflictError } from "@greco/ports";
import type { Database } from "./database.ts";
import { mustFindLane, type LaneRow } from "./lanes.ts";
import { holds, MESSAGE_COLUMNS, type MessageRow, toColumns, toEntry } from "./message-row.ts";

/** One read holds not much more than this, so that it is short. */
const BYTES_A_READ = 4_000_000;
const ROWS_A_READ = 2_000;

/** The lane's greatest seq, gaps or not; what was trimmed counts as there. */
function lastSeq(database: Database, row: LaneRow): number {
  const found = database.prepare("SELECT max(seq) AS seq FROM message WHERE lane = ?").get(row.number);
  return Math.max((found?.["seq"] as number | null) ?? 0, row.firstRetained - 1);
}

/** One seq of a gap is filled: what is left of it on either side stays. */
function fillGap(database: Database, lane: number, seq: number): void {
  const gap = database
    .prepare(`SELECT "from", "to" FROM gap WHERE lane = ? AND "from" <= ? ORDER BY "from" DESC LIMIT 1`)
    .get(lane, seq) as { from: number; to: number } | undefined;
  if (gap === undefined || gap.to < seq) return;
  database.prepare(`DELETE FROM gap WHERE lane = ? AND "from" = ?`).run(lane, gap.from);
  const add = database.prepare("INSERT INTO gap VALUES (?, ?, ?)");
  if (gap.from < seq) add.run(lane, gap.from, seq - 1);
  if (seq < gap.to) add.run(lane, seq + 1, gap.to);
}

function checkSame(database: Database, lane: LaneRow, id: LaneId, entry: Entry): void {
  const row = database
    .prepare(`SELECT ${MESSAGE_COLUMNS} FROM message WHERE lane = ? AND seq = ?`)
    .get(lane.number, entry.seq) as MessageRow | undefined;
  if (row !== undefined && holds(row, entry)) return;
  throw new LaneConflictError(
    `R1: seq ${entry.seq} of lane ${id} is bound to another content: abandon the lane`,
  );
}

export function append(database: Database, model: ModelId, { lane: id, entries }: Append): void {
  const lane = mustFindLane(database, model, id);
  const insert = database.prepare(
    `INSERT OR IGNORE INTO message (lane, ${MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  let last = lastSeq(database, lane);
  for (const entry of entries) {
    // A late repeat of what is trimmed already must not bring it back.
    if (entry.seq < lane.firstRetained) continue;
    if (insert.run(lane.number, ...toColumns(entry)).changes === 0) {
      checkSame(database, lane, id, entry);
    } else if (entry.seq > last) {
      if (entry.seq > last + 1)
        database.prepare("INSERT INTO gap VALUES (?, ?, ?)").run(lane.number, last + 1, entry.seq - 1);
      last = entry.seq;
    } else {
      fillGap(database, lane.number, entry.seq);
    }
  }
}

/** The last seq before the first gap. */
export function tail(database: Database, row: LaneRow): Seq {
  const gap = database
    .prepare(`SELECT "from" FROM gap WHERE lane = ? ORDER BY "from" LIMIT 1`)
    .get(row.number) as { from: number } | undefined;
  return (gap === undefined ? lastSeq(database, row) : gap.from - 1) as Seq;
}

export function readFrom(database: Database, row: LaneRow, id: LaneId, fromSeq: Seq, limit: number): Entry[] {
  if (fromSeq < row.firstRetained) throw new BelowRetentionError(id, fromSeq, row.firstRetained as Seq);
  const rows = database
    .prepare(`SELECT ${MESSAGE_COLUMNS} FROM message WHERE lane = ? AND seq >= ? ORDER BY seq LIMIT ?`)
    .iterate(row.number, fromSeq, Math.min(limit, ROWS_A_READ));
  const entries: Entry[] = [];
  let bytes = 0;
  for (const each of rows as Iterable<unknown> as Iterable<MessageRow>) {
    if (each.seq !== fromSeq + entries.length || bytes > BYTES_A_READ) break;
    entries.push(toEntry(each));
    bytes += each.payload?.length ?? 0;
  }
  return entries;
}

export function readBack(database: Database, row: LaneRow, atMost: Seq, limit: number): Entry[] {
  const rows = database
    .prepare(
      `SELECT ${MESSAGE_COLUMNS} FROM message WHERE lane = ? AND seq >= ? AND seq <= ? ORDER BY seq DESC LIMIT ?`,
    )
    .all(row.number, row.firstRetained, atMost, limit);
  return (rows as unknown as MessageRow[]).map(toEntry);
}

/** R3: from now on, reading below is an error; the rows go afterwards, a few at a time. */
export function retainFrom(database: Database, row: LaneRow, firstRetained: Seq): void {
  if (firstRetained <= row.firstRetained) return;
  database.prepare("UPDATE lane SET firstRetained = ? WHERE number = ?").run(firstRetained, row.number);
  database.prepare(`DELETE FROM gap WHERE lane = ? AND "to" < ?`).run(row.number, firstRetained);
  database
    .prepare(`UPDATE gap SET "from" = ? WHERE lane = ? AND "from" < ?`)
    .run(firstRetained, row.number, firstRetained);
}

/** Drops at most `limit` rows below the first retained; returns how many. */
export function dropBelow(database: Database, row: LaneRow, limit: number): number {
  const upTo = database
    .prepare("SELECT seq FROM message WHERE lane = ? AND seq < ? ORDER BY seq LIMIT 1 OFFSET ?")
    .get(row.number, row.firstRetained, limit - 1);
  const below = upTo === undefined ? row.firstRetained : (upTo["seq"] as number) + 1;
  return Number(
    database.prepare("DELETE FROM message WHERE lane = ? AND seq < ?").run(row.number, below).changes,
  );
}
