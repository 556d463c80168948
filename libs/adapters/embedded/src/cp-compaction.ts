/** Forgetting: first the mark, durable, then the rows, a few at a time between which others get their turn. */
import type { Database } from "./database.ts";
import { meta, setMeta } from "./cp-range.ts";

const ROWS_A_STEP = 500;

/**
 * Rows below `$revision` that no read at or above it can see: superseded by then, or a deletion. The
 * deletions at the revision itself stay, for who watches from there.
 */
const FORGET = `DELETE FROM cp_history WHERE id IN (
  SELECT h.id FROM cp_history h WHERE h.revision > $from AND h.revision <= $upTo AND (h.value IS NULL OR EXISTS (
    SELECT 1 FROM cp_history n WHERE n.key = h.key AND n.revision > h.revision AND n.revision <= $revision)))`;

export async function compact(database: Database, revision: number, signal: AbortSignal): Promise<void> {
  await database.write(() => {
    const now = meta(database, "revision");
    if (revision > now)
      throw new RangeError(`cannot compact to revision ${revision}: the store stands at ${now}`);
    if (revision > meta(database, "compacted")) setMeta(database, "compacted", revision);
  }, signal);
  for (let from = 0; from < revision - 1; from += ROWS_A_STEP) {
    const upTo = Math.min(from + ROWS_A_STEP, revision - 1);
    await database.write(() => database.prepare(FORGET).run({ from, upTo, revision }), signal);
  }
}

export type HistoryKeeper = {
  /** The store stands at `revision`: perhaps it is time. */
  at(revision: number): void;
  /** Resolves when no compaction is under way. */
  idle(): Promise<void>;
};

/** Compacts by itself, in the background and one at a time, whenever a tenth more than `revisions` has gathered. */
export function createHistoryKeeper(
  database: Database,
  revisions: number,
  signal: AbortSignal,
): HistoryKeeper {
  const step = Math.ceil(revisions / 10);
  let last = 0;
  let running: Promise<void> | undefined;
  return {
    at(revision) {
      const from = revision - revisions;
      if (running !== undefined || from < last + step) return;
      last = from;
      const over = (): void => {
        running = undefined;
      };
      // One that fails (locked, full, closing) is made up for by the next.
      running = compact(database, from, signal).then(over, over);
    },
    idle: async () => running,
  };
}
