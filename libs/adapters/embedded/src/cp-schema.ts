/**
 * The CP store's tables. `history` holds each change for ever, until it is compacted; `current` points at the
 * newest change of each key that exists. A value is stored once.
 */
export const CP_SCHEMA = `
CREATE TABLE IF NOT EXISTS cp_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cp_history (
  id INTEGER PRIMARY KEY,
  revision INTEGER NOT NULL,
  key TEXT NOT NULL,
  createRevision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  lease TEXT,
  value BLOB -- null: deleted
);
CREATE UNIQUE INDEX IF NOT EXISTS cp_history_key ON cp_history (key, revision);
CREATE INDEX IF NOT EXISTS cp_history_revision ON cp_history (revision, key);
CREATE TABLE IF NOT EXISTS cp_current (key TEXT PRIMARY KEY, id INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cp_current_lease ON cp_current (lease) WHERE lease IS NOT NULL;
CREATE TABLE IF NOT EXISTS cp_lease (id TEXT PRIMARY KEY, ttlMs REAL NOT NULL, count INTEGER NOT NULL) WITHOUT ROWID;
-- As in etcd, an empty store stands at revision 1.
INSERT OR IGNORE INTO cp_meta VALUES ('revision', 1), ('compacted', 0), ('leases', 0);
`;

/** A row of `cp_history`. */
export type HistoryRow = {
  readonly revision: number;
  readonly key: string;
  readonly createRevision: number;
  readonly version: number;
  readonly lease: string | null;
  readonly value: Uint8Array | null;
};
