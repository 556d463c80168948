/**
 * Watching: everything behind a revision, gapless and in order, out of the history. A watcher keeps nothing but
 * its position, so a slow one costs nobody memory: it reads on where it is when it is asked for more.
 */
import { type Clock, CompactedError, type KeyRange, type WatchBatch, type WatchEvent } from "@greco/ports";
import { type Bounds, bounds, boundsOf, inBounds, meta, toKeyValue } from "./cp-range.ts";
import type { HistoryRow } from "./cp-schema.ts";
import type { Database } from "./database.ts";
import { createWaits } from "./waits.ts";

/** Between two signs of life of a watch that sees nothing: "every few seconds" (cp-store.ts). */
const PROGRESS_MS = 2_000;
/** One look goes no further, so that a watcher far behind does not hold the event loop. */
const REVISIONS_A_LOOK = 5_000;
const EVENTS_A_BATCH = 500;
const BYTES_A_BATCH = 4_000_000;

function toEvent(row: HistoryRow): WatchEvent {
  return row.value === null
    ? { type: "delete", key: row.key, modRevision: row.revision }
    : { type: "put", entry: toKeyValue(row) };
}

/** The next whole revisions behind `position`. */
function look(
  database: Database,
  at: Bounds,
  after: string | undefined,
  position: number,
): { readonly batch: WatchBatch; readonly more: boolean } {
  const compacted = meta(database, "compacted");
  if (position + 1 < compacted) throw new CompactedError(compacted);
  const newest = meta(database, "revision");
  const upTo = Math.min(newest, position + REVISIONS_A_LOOK);
  const rows = database
    .prepare(
      `SELECT revision, key, createRevision, version, lease, value FROM cp_history
        WHERE revision > $position AND revision <= $upTo AND ${inBounds(at, "key")}
          ${after === undefined ? "" : "AND key > $after"}
        ORDER BY revision, key`,
    )
    .iterate({ ...boundsOf(at), ...(after === undefined ? {} : { after }), position, upTo });
  const events: WatchEvent[] = [];
  let bytes = 0;
  let revision = position;
  for (const each of rows as Iterable<unknown> as Iterable<HistoryRow>) {
    const full = events.length >= EVENTS_A_BATCH || bytes >= BYTES_A_BATCH;
    // A revision is never divided.
    if (full && each.revision > revision) return { batch: { events, revision }, more: true };
    revision = each.revision;
    events.push(toEvent(each));
    bytes += each.key.length + (each.value?.length ?? 0);
  }
  return { batch: { events, revision: Math.max(upTo, position) }, more: upTo < newest };
}

export function watch(
  database: Database,
  clock: Clock,
  range: KeyRange,
  afterRevision: number,
  signal: AbortSignal,
): AsyncIterable<WatchBatch> {
  // "From now on" is from this call on, not from when somebody first asks for a batch.
  const start =
    afterRevision === 0
      ? database.read(() => meta(database, "revision"), signal)
      : Promise.resolve(afterRevision);
  // Told by the iterator; a watch that nobody reads must not end the process.
  start.catch(() => undefined);
  return follow(database, clock, range, start, signal);
}

async function* follow(
  database: Database,
  clock: Clock,
  range: KeyRange,
  start: Promise<number>,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch, void, undefined> {
  const at = bounds(range);
  const after = "prefix" in range ? range.after : undefined;
  await using waits = createWaits(database.news, clock, signal);
  let position = await start;
  let told = clock.monotonicMs();
  for (;;) {
    const seen = database.news.count;
    const { batch, more } = await database.read(() => look(database, at, after, position), signal);
    position = batch.revision;
    if (batch.events.length > 0 || clock.monotonicMs() - told >= PROGRESS_MS) {
      yield batch;
      told = clock.monotonicMs();
    }
    // Let others have their turn. What was committed since the look is news, and wakes at once.
    if (more) await database.pause();
    else await waits.newsOr(seen, PROGRESS_MS - (clock.monotonicMs() - told));
  }
}
