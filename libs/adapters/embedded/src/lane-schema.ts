/** Tables of the AP store. A lane has a number within the file, so that its rows have a short key. */
export const LANE_SCHEMA = `
CREATE TABLE IF NOT EXISTS model (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lane (
  number INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  id TEXT NOT NULL,
  stream TEXT NOT NULL,
  writer TEXT NOT NULL,
  info TEXT NOT NULL,
  closeRequested INTEGER NOT NULL DEFAULT 0,
  "end" INTEGER,
  firstRetained INTEGER NOT NULL DEFAULT 1,
  finished INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS lane_id ON lane (model, id);
CREATE INDEX IF NOT EXISTS lane_writer ON lane (model, writer);
CREATE INDEX IF NOT EXISTS lane_live ON lane (model, id) WHERE finished = 0;
CREATE TABLE IF NOT EXISTS message (
  lane INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  appendedAtMs REAL NOT NULL,
  key TEXT, -- null: a marker
  payload BLOB,
  producer TEXT,
  producerSeq INTEGER,
  sourceQuery TEXT,
  sourceLane TEXT,
  sourceSeq INTEGER,
  sourceIndex INTEGER,
  PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
-- Seqs "from" … "to" that are missing below the lane's last: what tail and read stop before.
CREATE TABLE IF NOT EXISTS gap (
  lane INTEGER NOT NULL, "from" INTEGER NOT NULL, "to" INTEGER NOT NULL, PRIMARY KEY (lane, "from")
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS writer_lease (
  model TEXT NOT NULL, writer TEXT NOT NULL, count INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (model, writer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
  model TEXT NOT NULL, epoch INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (model, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floor (model TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (
  model TEXT NOT NULL, query TEXT NOT NULL, inputLane TEXT NOT NULL, writer TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (model, query, inputLane, writer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claim (
  model TEXT NOT NULL, query TEXT NOT NULL, inputLane TEXT NOT NULL, generation INTEGER NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (model, query, inputLane)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS member (
  model TEXT NOT NULL, runtime TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (model, runtime)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letter_order (
  model TEXT NOT NULL, query TEXT NOT NULL, lane TEXT NOT NULL, seq INTEGER NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (model, query, lane, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS crossing (
  model TEXT NOT NULL, query TEXT NOT NULL, lane TEXT NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (model, query, lane)
) WITHOUT ROWID;
`;
