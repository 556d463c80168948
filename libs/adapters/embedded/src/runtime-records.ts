/** What runtimes keep in the lane store: checkpoints, claims, membership, orders, crossings. Synchronous. */
import type { LaneId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { Checkpoint, Claim, DeadLetterOrder, Membership } from "@greco/ports";
import { stable } from "./codec.ts";
import type { Database } from "./database.ts";

function records<T>(rows: readonly Record<string, unknown>[]): T[] {
  return rows.map((row) => JSON.parse(row["record"] as string) as T);
}

export function putCheckpoint(database: Database, model: ModelId, checkpoint: Checkpoint): void {
  const { query, inputLane, writer } = checkpoint;
  database
    .prepare("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?, ?)")
    .run(model, query, inputLane, writer, stable(checkpoint));
}

export function checkpoints(
  database: Database,
  model: ModelId,
  query: EntityIdentity,
  inputLane: LaneId,
): Checkpoint[] {
  return records(
    database
      .prepare(
        "SELECT record FROM checkpoint WHERE model = ? AND query = ? AND inputLane = ? ORDER BY writer",
      )
      .all(model, query, inputLane),
  );
}

/** Compare-and-swap on the generation. A repeat of the claim that stands is won again. */
export function claim(
  database: Database,
  model: ModelId,
  wanted: Claim,
  expectedGeneration: number,
): { readonly won: boolean; readonly claim: Claim } {
  if (wanted.generation <= expectedGeneration)
    throw new RangeError(
      `a claim's generation must grow: got ${wanted.generation} over ${expectedGeneration}`,
    );
  const standing = database
    .prepare("SELECT generation, record FROM claim WHERE model = ? AND query = ? AND inputLane = ?")
    .get(model, wanted.query, wanted.inputLane);
  const record = stable(wanted);
  if (standing?.["record"] === record) return { won: true, claim: wanted };
  if (((standing?.["generation"] as number | undefined) ?? 0) === expectedGeneration) {
    database
      .prepare("INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?)")
      .run(model, wanted.query, wanted.inputLane, wanted.generation, record);
    return { won: true, claim: wanted };
  }
  if (standing === undefined)
    throw new RangeError(
      `nobody has claimed ${wanted.query} on ${wanted.inputLane} yet: expect generation 0`,
    );
  return { won: false, claim: JSON.parse(standing["record"] as string) as Claim };
}

export function claims(database: Database, model: ModelId): Claim[] {
  return records(
    database.prepare("SELECT record FROM claim WHERE model = ? ORDER BY query, inputLane").all(model),
  );
}

export function heartbeat(database: Database, model: ModelId, runtime: string): void {
  database
    .prepare(
      `INSERT INTO member VALUES (?, ?, 1) ON CONFLICT (model, runtime) DO UPDATE SET count = count + 1`,
    )
    .run(model, runtime);
}

export function leave(database: Database, model: ModelId, runtime: string): void {
  database.prepare("DELETE FROM member WHERE model = ? AND runtime = ?").run(model, runtime);
}

export function members(database: Database, model: ModelId): Membership[] {
  return database
    .prepare("SELECT runtime, count FROM member WHERE model = ? ORDER BY runtime")
    .all(model)
    .map((row) => ({ runtime: row["runtime"] as string, count: row["count"] as number }));
}

/** The first order for a position stands. */
export function putOrder(database: Database, model: ModelId, order: DeadLetterOrder): void {
  database
    .prepare("INSERT OR IGNORE INTO dead_letter_order VALUES (?, ?, ?, ?, ?)")
    .run(model, order.query, order.lane, order.seq, stable(order));
}

export function orders(
  database: Database,
  model: ModelId,
  query: EntityIdentity,
  lane: LaneId,
): DeadLetterOrder[] {
  return records(
    database
      .prepare("SELECT record FROM dead_letter_order WHERE model = ? AND query = ? AND lane = ? ORDER BY seq")
      .all(model, query, lane),
  );
}

/** R7: only grows. */
export function cross(
  database: Database,
  model: ModelId,
  query: EntityIdentity,
  lane: LaneId,
  epoch: Epoch,
): void {
  database
    .prepare(
      `INSERT INTO crossing VALUES (?, ?, ?, ?)
        ON CONFLICT (model, query, lane) DO UPDATE SET epoch = max(epoch, excluded.epoch)`,
    )
    .run(model, query, lane, epoch);
}

export function crossing(database: Database, model: ModelId, query: EntityIdentity, lane: LaneId): Epoch {
  const row = database
    .prepare("SELECT epoch FROM crossing WHERE model = ? AND query = ? AND lane = ?")
    .get(model, query, lane);
  return ((row?.["epoch"] as number | undefined) ?? 0) as Epoch;
}
