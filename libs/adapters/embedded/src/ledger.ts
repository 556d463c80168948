/** The ledger and the floor. Synchronous. */
import type { LedgerEntry } from "@greco/domain/epoch";
import type { Epoch, ModelId } from "@greco/domain/model";
import { LedgerConflictError } from "@greco/ports";
import { stable } from "./codec.ts";
import type { Database } from "./database.ts";
import { noteModel } from "./lanes.ts";

/** The entry as text: scope and bindings are sets, whoever lists them in which order. */
function textOf(entry: LedgerEntry): string {
  return stable({
    ...entry,
    scope: entry.scope.toSorted(),
    bindings: entry.bindings.toSorted((a, b) => (a.entity < b.entity ? -1 : 1)),
  });
}

/** I5: an epoch's entry is written once; what is there stays. */
export function appendLedger(database: Database, entry: LedgerEntry): void {
  noteModel(database, entry.model);
  const text = textOf(entry);
  const { changes } = database
    .prepare("INSERT OR IGNORE INTO ledger VALUES (?, ?, ?)")
    .run(entry.model, entry.epoch, text);
  if (changes !== 0) return;
  const standing = database
    .prepare("SELECT entry FROM ledger WHERE model = ? AND epoch = ?")
    .get(entry.model, entry.epoch);
  if (standing?.["entry"] !== text)
    throw new LedgerConflictError(
      `epoch ${entry.epoch} of model ${entry.model} has another entry in the ledger: compare it with the registry's version`,
    );
}

export function readLedger(
  database: Database,
  model: ModelId,
  afterEpoch: Epoch,
  limit: number,
): LedgerEntry[] {
  return database
    .prepare("SELECT entry FROM ledger WHERE model = ? AND epoch > ? ORDER BY epoch LIMIT ?")
    .all(model, afterEpoch, limit)
    .map((row) => JSON.parse(row["entry"] as string) as LedgerEntry);
}

export function models(database: Database): ModelId[] {
  return database
    .prepare("SELECT id FROM model ORDER BY id")
    .all()
    .map((row) => row["id"] as ModelId);
}

/** R9: only grows. */
export function raiseFloor(database: Database, model: ModelId, floor: Epoch): void {
  database
    .prepare(
      "INSERT INTO floor VALUES (?, ?) ON CONFLICT (model) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
    )
    .run(model, floor);
}

export function readFloor(database: Database, model: ModelId): Epoch {
  const row = database.prepare("SELECT epoch FROM floor WHERE model = ?").get(model);
  return ((row?.["epoch"] as number | undefined) ?? 0) as Epoch;
}
