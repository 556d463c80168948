/** The control log on SQLite (libs/ports/src/control-log.ts). This one neither loses nor reorders; nobody may build on that. */
import {
  type Clock,
  CONTROL_LOG_PAYLOAD_MAX,
  type ControlLog,
  type LogMessage,
  StoreLimitError,
} from "@greco/ports";
import type { EmbeddedOptions } from "./cp-store.ts";
import { type Database, openDatabase } from "./database.ts";

/** JetStream's default: a repeat of a message id within it is dropped. */
const REPEAT_WINDOW_MS = 120_000;
/** Messages a model keeps; an older position is gone, and the truth is in the CP store. */
const RETAINED = 10_000;
const MESSAGES_A_PAGE = 16;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS control_message (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  model TEXT NOT NULL,
  id TEXT NOT NULL,
  publishedAtMs REAL NOT NULL,
  payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS control_message_model ON control_message (model, position);
CREATE INDEX IF NOT EXISTS control_message_id ON control_message (model, id, publishedAtMs);
`;

function publish(database: Database, now: number, model: string, id: string, payload: Uint8Array): void {
  const repeated = database
    .prepare("SELECT 1 FROM control_message WHERE model = ? AND id = ? AND publishedAtMs > ?")
    .get(model, id, now - REPEAT_WINDOW_MS);
  if (repeated !== undefined) return;
  database
    .prepare("INSERT INTO control_message (model, id, publishedAtMs, payload) VALUES (?, ?, ?, ?)")
    .run(model, id, now, payload);
  const oldest = database
    .prepare("SELECT position FROM control_message WHERE model = ? ORDER BY position DESC LIMIT 1 OFFSET ?")
    .get(model, RETAINED);
  if (oldest !== undefined)
    database
      .prepare("DELETE FROM control_message WHERE model = ? AND position <= ?")
      .run(model, oldest["position"] as number);
}

/** Above all that was ever published, a position is of a log that was in this one's place: then all is new. */
function startOf(database: Database, afterPosition: number): number {
  const newest = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'control_message'").get();
  return afterPosition > ((newest?.["seq"] as number | undefined) ?? 0) ? 0 : afterPosition;
}

function pageAfter(database: Database, model: string, position: number): LogMessage[] {
  return database
    .prepare(
      "SELECT position, payload FROM control_message WHERE model = ? AND position > ? ORDER BY position LIMIT ?",
    )
    .all(model, position, MESSAGES_A_PAGE)
    .map((row) => ({ position: row["position"] as number, payload: row["payload"] as Uint8Array }));
}

/** Holds one page and a position: a slow subscriber reads on where it is. */
async function* subscribe(
  database: Database,
  model: string,
  afterPosition: number,
  signal: AbortSignal,
): AsyncGenerator<LogMessage, void, undefined> {
  let position = await database.read(() => startOf(database, afterPosition), signal);
  for (;;) {
    const seen = database.news.count;
    const page = await database.read(() => pageAfter(database, model, position), signal);
    for (const message of page) {
      signal.throwIfAborted();
      position = message.position;
      yield message;
    }
    if (page.length === 0) await database.news.after(seen, signal);
  }
}

export async function openEmbeddedControlLog({
  path,
  clock,
}: EmbeddedOptions & { readonly clock: Clock }): Promise<ControlLog> {
  const database = await openDatabase(path, SCHEMA);
  return {
    async publish(model, messageId, payload, signal) {
      if (payload.length > CONTROL_LOG_PAYLOAD_MAX)
        throw new StoreLimitError(
          `a message takes ${CONTROL_LOG_PAYLOAD_MAX} bytes, got ${payload.length}: send it in chunks`,
        );
      await database.write(() => publish(database, clock.nowMs(), model, messageId, payload), signal);
    },
    subscribe: (model, afterPosition, signal) => subscribe(database, model, afterPosition, signal),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
