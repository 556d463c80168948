/** A space of its own for each test, in a keyspace of the test file, on servers that others may use too. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, Log } from "@greco/ports";
import type { Setup } from "@greco/ports/testing";
import { Client, policies } from "cassandra-driver";
import type { CassandraOptions } from "../options.ts";
import { hostsOf, portOf } from "../session.ts";

export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    sleep(ms, undefined, { signal }).catch(() => {
      throw signal.reason;
    }),
};

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

/** The data centre of a node, as it says itself. */
async function dataCenterOf(addresses: readonly string[]): Promise<string> {
  const client = new Client({
    contactPoints: [...hostsOf(addresses)],
    protocolOptions: { port: portOf(addresses) },
    policies: { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() },
  });
  try {
    const { rows } = await client.execute("SELECT data_center FROM system.local");
    return rows[0]?.get("data_center") as string;
  } finally {
    await client.shutdown();
  }
}

export type Keyspace = CassandraOptions & AsyncDisposable;

/** A driver on the keyspace, for what no port has. */
export function rawClient({ contactPoints, localDataCenter, keyspace }: CassandraOptions): Client {
  return new Client({
    contactPoints: [...hostsOf(contactPoints)],
    protocolOptions: { port: portOf(contactPoints) },
    localDataCenter,
    keyspace,
  });
}

/** A new keyspace on the servers at `addresses`, dropped at the end. */
export async function testKeyspace(addresses: readonly string[], replicas: number): Promise<Keyspace> {
  const localDataCenter = await dataCenterOf(addresses);
  const keyspace = `greco_test_${randomUUID().slice(0, 8)}`;
  return {
    contactPoints: addresses,
    localDataCenter,
    keyspace,
    replication: { [localDataCenter]: replicas },
    clock: realClock,
    log: silentLog,
    async [Symbol.asyncDispose]() {
      const client = new Client({
        contactPoints: [...hostsOf(addresses)],
        protocolOptions: { port: portOf(addresses) },
        localDataCenter,
      });
      await client.execute(`DROP KEYSPACE IF EXISTS ${keyspace}`);
      await client.shutdown();
    },
  };
}

export function cassandraSetup<Store extends AsyncDisposable>(
  keyspace: () => CassandraOptions,
  open: (options: CassandraOptions, signal: AbortSignal) => Promise<Store>,
): Setup<Store> {
  return async () => {
    const options = { ...keyspace(), space: randomUUID() };
    return {
      open: () => open(options, new AbortController().signal),
      pass: (ms) => sleep(ms),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
}
