/**
 * Leases. Each handle counts a lease from the last change of its row that it saw, on its own monotonic clock,
 * as the data plane does (R2): no wall clock is compared between processes, and after a restart a lease lives its
 * whole time once more, as etcd's do when the leader changes. Any handle may end a lease that it saw lapse; the
 * comparison with the count as seen makes sure that nobody has kept it meanwhile.
 */
import { type Clock, LeaseGoneError, type LeaseId } from "@greco/ports";
import { meta, setMeta } from "./cp-range.ts";
import { createChanges } from "./cp-transaction.ts";
import type { Database } from "./database.ts";
import { createWaits } from "./waits.ts";

export type Leases = {
  grant(ttlMs: number, signal: AbortSignal): Promise<LeaseId>;
  keep(lease: LeaseId, signal: AbortSignal): Promise<void>;
  revoke(lease: LeaseId, signal: AbortSignal): Promise<void>;
  /** Ends lapsed leases until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
};

/** Until a lapsed lease that could not be ended (the file is locked, the disk is full) is tried again. */
const RETRY_MS = 1_000;

type LeaseRow = { readonly id: string; readonly ttlMs: number; readonly count: number };
type Seen = { readonly count: number; readonly atMs: number };

/** Deletes the lease and its keys, in one revision. */
function end(database: Database, lease: LeaseId): void {
  const keys = database.prepare("SELECT key FROM cp_current WHERE lease = ? ORDER BY key").all(lease);
  createChanges(database).delete(keys.map((row) => row["key"] as string));
  database.prepare("DELETE FROM cp_lease WHERE id = ?").run(lease);
}

export function createLeases(database: Database, clock: Clock): Leases {
  const seen = new Map<LeaseId, Seen>();
  const gone = (lease: LeaseId): LeaseGoneError =>
    new LeaseGoneError(`lease ${lease} has lapsed and its keys are deleted: grant another`);

  const observe = (): { readonly lapsed: LeaseRow[]; readonly nextMs: number | undefined } => {
    const now = clock.monotonicMs();
    const rows = database.prepare("SELECT id, ttlMs, count FROM cp_lease").all() as unknown as LeaseRow[];
    const known = new Set(rows.map((row) => row.id));
    for (const id of seen.keys()) if (!known.has(id)) seen.delete(id);
    const lapsed: LeaseRow[] = [];
    let nextMs: number | undefined;
    for (const row of rows) {
      const before = seen.get(row.id);
      const from = before?.count === row.count ? before.atMs : now;
      if (from === now) seen.set(row.id, { count: row.count, atMs: now });
      const leftMs = from + row.ttlMs - now;
      if (leftMs <= 0) lapsed.push(row);
      else nextMs = Math.min(nextMs ?? leftMs, leftMs);
    }
    return { lapsed, nextMs };
  };

  /** Returns when to look again, unless there is news; undefined: no lease is left. */
  const endLapsed = async (signal: AbortSignal): Promise<number | undefined> => {
    const { lapsed, nextMs } = await database.read(observe, signal);
    if (lapsed.length > 0)
      await database.write(() => {
        for (const { id, count } of lapsed) {
          const row = database.prepare("SELECT 1 FROM cp_lease WHERE id = ? AND count = ?").get(id, count);
          if (row !== undefined) end(database, id);
        }
      }, signal);
    return nextMs;
  };

  return {
    grant: (ttlMs, signal) =>
      database.write(() => {
        if (!(ttlMs > 0 && Number.isFinite(ttlMs)))
          throw new RangeError(`a lease's time must be above 0 ms; got ${ttlMs}`);
        const id = meta(database, "leases") + 1;
        setMeta(database, "leases", id);
        database.prepare("INSERT INTO cp_lease VALUES (?, ?, 0)").run(id.toString(16), ttlMs);
        seen.set(id.toString(16), { count: 0, atMs: clock.monotonicMs() });
        return id.toString(16);
      }, signal),
    keep: (lease, signal) =>
      database.write(() => {
        const row = database.prepare("SELECT ttlMs, count FROM cp_lease WHERE id = ?").get(lease);
        const now = clock.monotonicMs();
        const last = seen.get(lease);
        // Lapsed, though nobody has come to end it yet.
        const late =
          last !== undefined && last.count === row?.["count"] && last.atMs + (row["ttlMs"] as number) <= now;
        if (row === undefined || late) throw gone(lease);
        const count = (row["count"] as number) + 1;
        database.prepare("UPDATE cp_lease SET count = ? WHERE id = ?").run(count, lease);
        seen.set(lease, { count, atMs: now });
      }, signal),
    revoke: (lease, signal) =>
      database.write(() => {
        if (database.prepare("SELECT 1 FROM cp_lease WHERE id = ?").get(lease) === undefined)
          throw gone(lease);
        end(database, lease);
      }, signal),
    async run(signal) {
      await using waits = createWaits(database.news, clock, signal);
      while (!signal.aborted) {
        const news = database.news.count;
        // Beyond the store's reach for now (locked, or the disk is full): try again, and say it to nobody, because
        // who asks for something is told.
        const nextMs = await endLapsed(signal).catch(() => RETRY_MS);
        await waits.newsOr(news, nextMs);
      }
    },
  };
}
