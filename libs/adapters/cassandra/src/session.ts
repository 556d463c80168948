/**
 * A driver of one site with the consistencies of DESIGN §5: everything LOCAL_QUORUM, compare-and-swaps LOCAL_SERIAL
 * and committed at LOCAL_QUORUM; what must hold at every site says so.
 *
 * C1. Every statement is prepared; plain writes are idempotent (same key, same content) and marked so.
 * C2. A compare-and-swap is never repeated by the driver: its outcome is `unknown`, and the caller looks.
 */
import { Client, policies, types } from "cassandra-driver";
import { type Log, StoreUnknownError } from "@greco/ports";
import { readError, writeError } from "./errors.ts";
import { CONNECT_TIMEOUT_MS, HEARTBEAT_MS, READS_AT_ONCE, RECONNECT, REQUEST_TIMEOUT_MS } from "./limits.ts";
import type { CassandraOptions } from "./options.ts";
import { IdempotentRetryPolicy } from "./retries.ts";

const { consistencies } = types;

export type Value = string | number | boolean | Buffer | types.Long | null | readonly string[];
export type Row = types.Row;
export type Statement = { readonly cql: string; readonly values: readonly Value[] };
export type Strength = "local" | "everySite" | "serial";
export type Swapped = "applied" | "refused" | "unknown";

const LEVEL = {
  local: consistencies.localQuorum,
  everySite: consistencies.eachQuorum,
  serial: consistencies.localSerial,
} satisfies Record<Strength, types.consistencies>;

export const statement = (cql: string, ...values: readonly Value[]): Statement => ({ cql, values });

/** A bigint column, which is a safe integer here. */
export function numberOf(row: Row | undefined, column: string): number | undefined {
  const value = row?.get(column) as types.Long | number | null | undefined;
  if (value === null || value === undefined) return undefined;
  return typeof value === "number" ? value : value.toNumber();
}

export function textOf(row: Row | undefined, column: string): string | undefined {
  return (row?.get(column) as string | null | undefined) ?? undefined;
}

/** The driver says so when its clock is this far behind its stamps, and not more often. */
const STAMP_WARNING_MS = 1_000;

export type Stamps = policies.timestampGeneration.TimestampGenerator;

/** Each later than the one before, also when the clock steps back. */
export const newStamps = (): Stamps =>
  new policies.timestampGeneration.MonotonicTimestampGenerator(STAMP_WARNING_MS, STAMP_WARNING_MS);

/** Without `keyspace`, for making it. */
export function clientOf(
  options: CassandraOptions,
  site: string,
  contactPoints: readonly string[],
  keyspace?: string,
  stamps: Stamps = newStamps(),
): Client {
  const { log, credentials } = options;
  const { local } = types.distance;
  const client = new Client({
    contactPoints: [...contactPoints],
    protocolOptions: { port: portOf(options.contactPoints) },
    localDataCenter: site,
    // Who only makes tables has no use for knowing them, and each would cost a look at all.
    ...(keyspace === undefined ? { isMetadataSyncEnabled: false } : { keyspace }),
    ...(credentials === undefined ? {} : { credentials }),
    policies: {
      retry: new IdempotentRetryPolicy(),
      // It never gives up.
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(
        RECONNECT.firstMs,
        RECONNECT.lastMs,
        false,
      ),
      timestampGeneration: stamps,
      speculativeExecution: new policies.speculativeExecution.NoSpeculativeExecutionPolicy(),
    },
    socketOptions: { connectTimeout: CONNECT_TIMEOUT_MS, readTimeout: REQUEST_TIMEOUT_MS },
    pooling: { heartBeatInterval: HEARTBEAT_MS, coreConnectionsPerHost: { [local]: 1 } },
    queryOptions: { consistency: LEVEL.local, serialConsistency: LEVEL.serial, prepare: true },
    // Many models and few statements: more of them would be a leak of ours.
    maxPrepared: 500,
  });
  logHosts(client, log, site);
  return client;
}

function logHosts(client: Client, log: Log, site: string): void {
  client.on("hostDown", (host) => log.warn("cassandra.node-down", { site, node: host.address }));
  client.on("hostUp", (host) => log.info("cassandra.node-up", { site, node: host.address }));
}

export function portOf(contactPoints: readonly string[]): number {
  const ports = new Set(contactPoints.map((point) => Number(point.split(":")[1] ?? 9042)));
  const [port] = ports;
  if (port === undefined || ports.size > 1 || !Number.isInteger(port))
    throw new RangeError(
      `Cassandra's contact points must share one port (the driver takes it for all nodes), got ${contactPoints.join(", ")}`,
    );
  return port;
}

export const hostsOf = (contactPoints: readonly string[]): readonly string[] =>
  contactPoints.map((point) => point.split(":")[0] ?? point);

export class Session {
  readonly site: string;
  readonly #client: Client;
  readonly #stamps: Stamps;

  /** Owns the client. `stamps`: the client's. */
  constructor(client: Client, site: string, stamps: Stamps) {
    this.#client = client;
    this.#stamps = stamps;
    this.site = site;
  }

  /** More than this site's nodes are in the cluster. */
  get severalSites(): boolean {
    return this.#client.hosts.values().some((host) => host.datacenter !== this.site);
  }

  nodesOf(site: string): string[] {
    return this.#client.hosts
      .values()
      .filter((host) => host.datacenter === site)
      .map((host) => host.address.split(":")[0] ?? host.address);
  }

  /** A plain, idempotent write. */
  async write({ cql, values }: Statement, strength: Strength = "local"): Promise<void> {
    const options = { ...optionsOf(LEVEL[strength]), isIdempotent: true };
    await this.#client.execute(cql, [...values], options).catch((error: unknown) => {
      throw writeError(error);
    });
  }

  /** Rows of one partition, of one table: one mutation, which a node applies whole or not at all. */
  async writePartition(statements: readonly Statement[]): Promise<void> {
    const [only] = statements;
    if (only === undefined) return;
    if (statements.length === 1) return this.write(only);
    const queries = statements.map(({ cql, values }) => ({ query: cql, params: [...values] }));
    const options = { ...optionsOf(LEVEL.local), logged: false, isIdempotent: true };
    await this.#client.batch(queries, options).catch((error: unknown) => {
      throw writeError(error);
    });
  }

  /** All rows, page by page. */
  async rows({ cql, values }: Statement, fetchSize: number, strength: Strength = "local"): Promise<Row[]> {
    const rows: Row[] = [];
    let pageState: string | undefined;
    do {
      const options = {
        ...optionsOf(LEVEL[strength]),
        isIdempotent: true,
        fetchSize,
        ...(pageState === undefined ? {} : { pageState }),
      };
      const result = await this.#client.execute(cql, [...values], options).catch((error: unknown) => {
        throw readError(error);
      });
      rows.push(...result.rows);
      pageState = result.pageState ?? undefined;
    } while (pageState !== undefined);
    return rows;
  }

  async row(of: Statement, strength: Strength = "local"): Promise<Row | undefined> {
    return (await this.rows(of, 10, strength))[0];
  }

  /** Several statements (of one partition and table, at least one with a condition) are swapped together. */
  async swap(statements: readonly Statement[]): Promise<Swapped> {
    const options = { ...optionsOf(LEVEL.local), isIdempotent: false };
    const [first] = statements;
    try {
      const result =
        statements.length === 1 && first !== undefined
          ? await this.#client.execute(first.cql, [...first.values], options)
          : await this.#client.batch(
              statements.map(({ cql, values }) => ({ query: cql, params: [...values] })),
              { ...options, logged: true },
            );
      return result.wasApplied() ? "applied" : "refused";
    } catch (error) {
      const known = writeError(error);
      if (known instanceof StoreUnknownError) return "unknown";
      throw known;
    }
  }

  /** Now, as the driver stamps plain writes: after all that this client has written. */
  timestamp(): Value {
    return this.#stamps.next(this.#client);
  }

  close(): Promise<void> {
    return this.#client.shutdown();
  }
}

const optionsOf = (consistency: types.consistencies) => ({
  prepare: true,
  consistency,
  serialConsistency: LEVEL.serial,
});

/** `work` for all, not too many at once, in order. */
export async function mapSome<A, B>(all: readonly A[], work: (each: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (let from = 0; from < all.length; from += READS_AT_ONCE)
    results.push(...(await Promise.all(all.slice(from, from + READS_AT_ONCE).map(work))));
  return results;
}
