/** Bindings (R6: immutable per entity and candidate) and their snapshots. Synchronous. */
import type { Binding } from "@greco/domain/epoch";
import type { CandidateId, EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import { BindingConflictError, type BindingSnapshot } from "@greco/ports";
import type { Database } from "./database.ts";

/** All or none. */
export function putBindings(database: Database, bindings: readonly Binding[]): void {
  for (const { model, entity, candidate, hash, content } of bindings) {
    const { changes } = database
      .prepare("INSERT OR IGNORE INTO binding VALUES (?, ?, ?, ?, ?)")
      .run(model, entity, candidate, hash, content);
    if (changes !== 0) continue;
    const standing = getBinding(database, model, entity, candidate);
    if (standing?.hash !== hash || standing.content !== content)
      throw new BindingConflictError(
        `R6: ${entity} has another binding for candidate ${candidate}; it stays: publish a new candidate`,
      );
  }
}

export function getBinding(
  database: Database,
  model: ModelId,
  entity: EntityIdentity,
  candidate: CandidateId,
): Binding | undefined {
  const row = database
    .prepare("SELECT hash, content FROM binding WHERE model = ? AND entity = ? AND candidate = ?")
    .get(model, entity, candidate);
  if (row === undefined) return undefined;
  return { model, entity, candidate, hash: row["hash"] as string, content: row["content"] as string };
}

export function listBindings(
  database: Database,
  model: ModelId,
  candidate: CandidateId,
): Omit<Binding, "content">[] {
  return database
    .prepare("SELECT entity, hash FROM binding WHERE model = ? AND candidate = ? ORDER BY entity")
    .all(model, candidate)
    .map((row) => ({
      model,
      entity: row["entity"] as EntityIdentity,
      candidate,
      hash: row["hash"] as string,
    }));
}

export function listCandidates(database: Database, model: ModelId): CandidateId[] {
  return database
    .prepare("SELECT DISTINCT candidate FROM binding WHERE model = ? ORDER BY candidate")
    .all(model)
    .map((row) => row["candidate"] as CandidateId);
}

export function deleteBinding(
  database: Database,
  model: ModelId,
  entity: EntityIdentity,
  candidate: CandidateId,
): void {
  database
    .prepare("DELETE FROM binding WHERE model = ? AND entity = ? AND candidate = ?")
    .run(model, entity, candidate);
}

/** A snapshot is what the ledger folds to, whoever folds it: the first stands. */
export function putSnapshot(database: Database, { model, epoch, bindings }: BindingSnapshot): void {
  database
    .prepare("INSERT OR IGNORE INTO binding_snapshot VALUES (?, ?, ?)")
    .run(model, epoch, JSON.stringify(bindings));
}

export function getSnapshot(database: Database, model: ModelId, epoch: Epoch): BindingSnapshot | undefined {
  const row = database
    .prepare(
      `SELECT epoch, bindings FROM binding_snapshot
        WHERE model = ? AND epoch <= ? ORDER BY epoch DESC LIMIT 1`,
    )
    .get(model, epoch);
  if (row === undefined) return undefined;
  return {
    model,
    epoch: row["epoch"] as Epoch,
    bindings: JSON.parse(row["bindings"] as string) as BindingSnapshot["bindings"],
  };
}
