/** Lanes in the file: registration and state. Synchronous; run inside `read` or `write`. */
import type { LaneId, LaneInfo, LaneState, Seq } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import { LaneConflictError, type LaneRecord, LaneUnknownError } from "@greco/ports";
import { stable } from "./codec.ts";
import type { Database } from "./database.ts";

type LaneRow = {
  readonly number: number;
  readonly info: string;
  readonly closeRequested: number;
  readonly end: number | null;
  readonly firstRetained: number;
};

const COLUMNS = `number, info, closeRequested, "end", firstRetained`;

function toState(row: LaneRow): LaneState {
  return {
    closeRequested: row.closeRequested !== 0,
    ...(row.end === null ? {} : { end: row.end as Seq }),
    firstRetained: row.firstRetained as Seq,
  };
}

export function toRecord(row: LaneRow): LaneRecord {
  return { info: JSON.parse(row.info) as LaneInfo, state: toState(row) };
}

export function findLane(database: Database, model: ModelId, lane: LaneId): LaneRow | undefined {
  return database.prepare(`SELECT ${COLUMNS} FROM lane WHERE model = ? AND id = ?`).get(model, lane) as
    LaneRow | undefined;
}

/** Throws `LaneUnknownError`. */
export function mustFindLane(database: Database, model: ModelId, lane: LaneId): LaneRow {
  const row = findLane(database, model, lane);
  if (row === undefined) throw new LaneUnknownError(model, lane);
  return row;
}

export function noteModel(database: Database, model: ModelId): void {
  database.prepare("INSERT OR IGNORE INTO model VALUES (?)").run(model);
}

export function register(database: Database, info: LaneInfo): void {
  noteModel(database, info.model);
  const text = stable(info);
  const standing = findLane(database, info.model, info.id);
  if (standing === undefined) {
    database
      .prepare("INSERT INTO lane (model, id, stream, writer, info) VALUES (?, ?, ?, ?, ?)")
      .run(info.model, info.id, info.stream, info.writer, text);
    return;
  }
  if (standing.info !== text)
    throw new LaneConflictError(
      `lane ${info.id} of model ${info.model} is registered otherwise: a lane's id is used once; take a new one`,
    );
}

export function list(
  database: Database,
  model: ModelId,
  where: { readonly stream?: string; readonly writer?: string; readonly finished: boolean },
): LaneRecord[] {
  const filters = ["model = $model"];
  if (!where.finished) filters.push("finished = 0");
  if (where.stream !== undefined) filters.push("stream = $stream");
  if (where.writer !== undefined) filters.push("writer = $writer");
  const { finished: _, ...values } = where;
  const rows = database
    .prepare(`SELECT ${COLUMNS} FROM lane WHERE ${filters.join(" AND ")} ORDER BY id`)
    .all({ model, ...values });
  return (rows as unknown as LaneRow[]).map(toRecord);
}

/** Compare-and-swap: the first end stands for ever. */
export function endAt(database: Database, model: ModelId, lane: LaneId, end: Seq): Seq {
  const row = mustFindLane(database, model, lane);
  if (row.end !== null) return row.end as Seq;
  database.prepare(`UPDATE lane SET "end" = ? WHERE number = ?`).run(end, row.number);
  return end;
}

export type { LaneRow };
export { toState };
