/** Tables of bindings, their snapshots, and the conductors' leases and journals. */
export const BINDING_SCHEMA = `
CREATE TABLE IF NOT EXISTS binding (
  model TEXT NOT NULL, entity TEXT NOT NULL, candidate TEXT NOT NULL, hash TEXT NOT NULL, content TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS binding_key ON binding (model, entity, candidate);
CREATE INDEX IF NOT EXISTS binding_candidate ON binding (model, candidate, entity);
CREATE TABLE IF NOT EXISTS binding_snapshot (
  model TEXT NOT NULL, epoch INTEGER NOT NULL, bindings TEXT NOT NULL, PRIMARY KEY (model, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conductor (
  model TEXT NOT NULL, conductor TEXT NOT NULL, incarnation INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (model, conductor)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (
  model TEXT NOT NULL, conductor TEXT NOT NULL, sequence INTEGER NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (model, conductor, sequence)
) WITHOUT ROWID;
`;
