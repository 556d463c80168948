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
