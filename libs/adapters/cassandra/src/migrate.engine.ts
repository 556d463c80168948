import { StoreUnavailableError } from "@greco/ports";
import { afterAll, beforeAll, expect, it } from "vitest";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { migrate, SchemaTooNewError } from "./migrate.ts";
import { MIGRATIONS } from "./schema.ts";
import { clientOf, hostsOf } from "./session.ts";
import { type Keyspace, testKeyspace } from "./testing/setup.ts";

const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
let addresses: readonly string[];

beforeAll(async () => {
  ({ addresses } = stack.use(await servers.cassandra({}, never)));
});
afterAll(() => stack.disposeAsync());

function clientFor(keyspace: Keyspace) {
  const client = clientOf(keyspace, keyspace.localDataCenter, hostsOf(keyspace.contactPoints));
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.shutdown() });
}

const first = { version: 1, statements: ["CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)"] };
const second = { version: 2, statements: ["ALTER TABLE t ADD IF NOT EXISTS v text"] };

it("brings one keyspace to the schema once, however many begin at once, and finds it done", async () => {
  await using keyspace = await testKeyspace(addresses, 1);
  await using one = clientFor(keyspace);
  await using two = clientFor(keyspace);
  const migrations = [first, second];
  await Promise.all([one, two].map((client) => migrate(client, { ...keyspace, migrations }, never)));
  await migrate(one, { ...keyspace, migrations }, never);
  const { rows } = await one.execute(
    "SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = 't'",
    [keyspace.keyspace],
    { prepare: true },
  );
  expect(rows.map((row) => row.get("column_name") as string).toSorted()).toEqual(["k", "v"]);
  // A table made twice at once would be two, of which one loses its rows.
  await one.execute(`INSERT INTO ${keyspace.keyspace}.t (k, v) VALUES (1, 'x')`);
  const { rowLength } = await two.execute(`SELECT * FROM ${keyspace.keyspace}.t`);
  expect(rowLength).toBe(1);
});

it("goes on from the version that stands, also where a migration was left half done", async () => {
  await using keyspace = await testKeyspace(addresses, 1);
  await using client = clientFor(keyspace);
  const broken = { version: 2, statements: [...second.statements, "CREATE NONSENSE"] };
  await migrate(client, { ...keyspace, migrations: [first] }, never);
  await expect(migrate(client, { ...keyspace, migrations: [first, broken] }, never)).rejects.toThrow(
    /NONSENSE/,
  );
  await migrate(client, { ...keyspace, migrations: [first, second] }, never);
  const { rowLength } = await client.execute(`SELECT v FROM ${keyspace.keyspace}.t`);
  expect(rowLength).toBe(0);
});

it("refuses a keyspace that a newer program has made, and changes nothing", async () => {
  await using keyspace = await testKeyspace(addresses, 1);
  await using client = clientFor(keyspace);
  await migrate(client, { ...keyspace, migrations: [first, second] }, never);
  const older = migrate(client, { ...keyspace, migrations: [first] }, never);
  await expect(older).rejects.toThrow(SchemaTooNewError);
  await expect(older).rejects.toThrow(/schema 2, this program knows 1: update/);
});

it("names its tables and keyspace so that they can be made again", () => {
  for (const { statements } of MIGRATIONS)
    for (const cql of statements)
      expect(cql).toMatch(/^(CREATE TABLE IF NOT EXISTS|ALTER TABLE \w+ ADD IF NOT EXISTS) /);
  expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
});

it("makes as many replicas as the ring has nodes, however many were named, and waits for those that are missing", async () => {
  await using keyspace = await testKeyspace(addresses, 1);
  await using client = clientFor(keyspace);
  await client.connect();
  const { replication: _given, ...unsaid } = keyspace;
  const missing = { ...unsaid, contactPoints: [...addresses, "127.0.0.77", "127.0.0.78", "127.0.0.79"] };
  await expect(migrate(client, { ...missing, migrations: [first] }, never)).rejects.toThrow(
    StoreUnavailableError,
  );
  const elsewhere = migrate(client, { ...unsaid, localDataCenter: "mars", migrations: [first] }, never);
  await expect(elsewhere).rejects.toThrow(/data centres .*: say how often .* --replication/);
  await migrate(client, { ...unsaid, migrations: [first] }, never);
  const { rows } = await client.execute(
    "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?",
    [keyspace.keyspace],
    { prepare: true },
  );
  const nodes = [...client.hosts.values()].length;
  const replication = rows[0]?.get("replication") as Record<string, string>;
  expect(replication[keyspace.localDataCenter]).toBe(String(Math.min(3, nodes)));
});

it("I15: refuses a keyspace or a replication that is none, before anything is sent", async () => {
  await using keyspace = await testKeyspace(addresses, 1);
  await using client = clientFor(keyspace);
  for (const wrong of [{ keyspace: "Big; DROP" }, { replication: {} }, { replication: { "a'b": 1 } }])
    await expect(migrate(client, { ...keyspace, ...wrong }, never)).rejects.toThrow(RangeError);
});
