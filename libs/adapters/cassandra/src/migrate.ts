/**
 * Brings a keyspace to the schema of this program: once, by one process at a time, and never one that a newer program
 * has changed further.
 *
 * S1. Tables are made under a lock: two nodes that make one table at once make two of it.
 * S2. The version is told only after all statements of it are done, and each may be run again.
 */
import { createHash, randomUUID } from "node:crypto";
import { types, type Client } from "cassandra-driver";
import { StoreUnavailableError } from "@greco/ports";
import { readError } from "./errors.ts";
import { MIGRATION_LOCK_S, REPLICAS_MAX } from "./limits.ts";
import type { CassandraOptions } from "./options.ts";
import { MIGRATIONS, type Migration } from "./schema.ts";

const KEYSPACE = /^[a-z][a-z0-9_]{0,47}$/;
const DATA_CENTER = /^[\w.-]{1,100}$/;
const LOCK_POLL_MS = 200;
const AGREEMENT_POLL_MS = 100;

export type MigrateOptions = Omit<CassandraOptions, "credentials" | "space"> & {
  /** What this program knows; another one in tests. */
  readonly migrations?: readonly Migration[];
};

/** The keyspace was made by a newer program. */
export class SchemaTooNewError extends Error {
  override name = "SchemaTooNewError";
}

const LEVELS = {
  prepare: false,
  consistency: types.consistencies.localQuorum,
  serialConsistency: types.consistencies.serial,
} as const;

/** Known to everybody beforehand: two who make the table of the lock at once then make the same one. */
function tableId(keyspace: string): string {
  const hex = createHash("sha256").update(`${keyspace}.schema_version`).digest("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `1${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

type Replication = Readonly<Record<string, number>>;

function check({ keyspace, replication }: MigrateOptions): void {
  if (!KEYSPACE.test(keyspace))
    throw new RangeError(`not a keyspace: "${keyspace}" (lower-case letters, digits and _, at most 48)`);
  if (replication === undefined) return;
  const centers = Object.entries(replication);
  if (centers.length === 0) throw new RangeError("replication names no data centre: { dc1: 3 }");
  for (const [name, replicas] of centers)
    if (!DATA_CENTER.test(name) || !Number.isInteger(replicas) || replicas < 1)
      throw new RangeError(
        `replication in data centre "${name}" must be a number of replicas, got ${replicas}`,
      );
}

/** What is fixed when the keyspace is made is not guessed from the nodes that somebody happened to name. */
function wholeRing(client: Client, options: MigrateOptions): Replication {
  const { keyspace, localDataCenter, contactPoints } = options;
  const hosts = client.hosts.values();
  const centers = [...new Set(hosts.map((host) => host.datacenter))].toSorted();
  const nodes = hosts.filter((host) => host.datacenter === localDataCenter).length;
  if (centers.some((center) => center !== localDataCenter))
    throw new RangeError(
      `keyspace ${keyspace} is to be made, and the cluster has the data centres ${centers.join(", ")}: ` +
        `say how often each keeps it, as --replication ${centers.map((center) => `${center}:3`).join(",")}`,
    );
  if (nodes < Math.min(REPLICAS_MAX, contactPoints.length))
    throw new StoreUnavailableError(
      `keyspace ${keyspace} is to be made, and of the ${contactPoints.length} nodes named only ${nodes} are in the ring: wait for them, or give --replication`,
    );
  return { [localDataCenter]: Math.min(REPLICAS_MAX, nodes) };
}

const cqlOf = (replication: Replication): string =>
  Object.entries(replication)
    .map(([name, replicas]) => `'${name}': ${replicas}`)
    .join(", ");

export async function migrate(client: Client, options: MigrateOptions, signal: AbortSignal): Promise<void> {
  const { keyspace, migrations = MIGRATIONS, log, clock } = options;
  check(options);
  const known = migrations.at(-1)?.version ?? 0;
  const run = async (cql: string): Promise<types.ResultSet> => {
    signal.throwIfAborted();
    return client.execute(cql, [], LEVELS).catch((error: unknown) => {
      throw readError(error);
    });
  };
  const version = async (): Promise<number> => {
    const { rows } = await run(`SELECT version FROM ${keyspace}.schema_version WHERE id = 'version'`);
    const found = (rows[0]?.get("version") as number | undefined) ?? 0;
    if (found > known)
      throw new SchemaTooNewError(
        `keyspace ${keyspace} has schema ${found}, this program knows ${known}: update the program`,
      );
    return found;
  };

  if ((await exists(run, keyspace)) && (await version()) === known) return;
  const replicas = cqlOf(options.replication ?? wholeRing(client, options));
  await run(
    `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', ${replicas}}`,
  );
  await run(
    `CREATE TABLE IF NOT EXISTS ${keyspace}.schema_version (id text PRIMARY KEY, version int, holder text)
     WITH ID = ${tableId(keyspace)}`,
  );
  await agreed(client, options, signal);
  const holder = randomUUID();
  await lock(run, options, holder, signal);
  let lockedAtMs = clock.monotonicMs();
  const keepLock = async (): Promise<void> => {
    if (clock.monotonicMs() - lockedAtMs < (MIGRATION_LOCK_S * 1_000) / 4) return;
    const sentAtMs = clock.monotonicMs();
    const kept = await run(
      `UPDATE ${keyspace}.schema_version USING TTL ${MIGRATION_LOCK_S} SET holder = '${holder}'
       WHERE id = 'lock' IF holder = '${holder}'`,
    );
    if (!kept.wasApplied())
      throw new StoreUnavailableError(`another process migrates keyspace ${keyspace}: open it again`);
    lockedAtMs = sentAtMs;
  };
  try {
    for (const migration of migrations) {
      if (migration.version <= (await version())) continue;
      for (const cql of migration.statements) {
        await keepLock();
        await run(qualified(cql, keyspace));
      }
      // S2
      await agreed(client, options, signal);
      await run(
        `INSERT INTO ${keyspace}.schema_version (id, version) VALUES ('version', ${migration.version})`,
      );
      log.info("cassandra.migrated", { keyspace, version: migration.version });
    }
  } finally {
    await run(`DELETE FROM ${keyspace}.schema_version WHERE id = 'lock' IF holder = '${holder}'`).catch(
      (error: unknown) => log.warn("cassandra.migration-lock-left", { keyspace, error }),
    );
  }
}

/** The migrating client has no keyspace: it may have to make it. */
const qualified = (cql: string, keyspace: string): string =>
  cql.replace(/^((?:CREATE|ALTER|DROP) TABLE (?:IF (?:NOT )?EXISTS )?)/, `$1${keyspace}.`);

async function exists(run: (cql: string) => Promise<types.ResultSet>, keyspace: string): Promise<boolean> {
  const { rows } = await run(
    `SELECT table_name FROM system_schema.tables WHERE keyspace_name = '${keyspace}' AND table_name = 'schema_version'`,
  );
  return rows.length > 0;
}

async function lock(
  run: (cql: string) => Promise<types.ResultSet>,
  { keyspace, clock, log }: MigrateOptions,
  holder: string,
  signal: AbortSignal,
): Promise<void> {
  for (let said = false; ; said = true) {
    const result = await run(
      `INSERT INTO ${keyspace}.schema_version (id, holder) VALUES ('lock', '${holder}')
       IF NOT EXISTS USING TTL ${MIGRATION_LOCK_S}`,
    );
    // A repeat after a lost answer finds its own.
    if (result.wasApplied() || result.first()?.get("holder") === holder) return;
    if (!said) log.info("cassandra.migration-awaited", { keyspace });
    await clock.sleep(LOCK_POLL_MS, signal);
  }
}

/** All nodes that are up have the same schema. The driver's typings lack this method of its metadata. */
async function agreed({ metadata }: Client, { clock }: MigrateOptions, signal: AbortSignal): Promise<void> {
  const asked = metadata as typeof metadata & { checkSchemaAgreement(): Promise<boolean> };
  while (!(await asked.checkSchemaAgreement())) await clock.sleep(AGREEMENT_POLL_MS, signal);
}
