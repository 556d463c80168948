import type { Clock, Log } from "@greco/ports";

export type CassandraOptions = {
  /** `host` or `host:port`, one port for all; any of the nodes of the local data centre. */
  readonly contactPoints: readonly string[];
  /** The site (DESIGN §5): requests go to its nodes, quorums are of its replicas. */
  readonly localDataCenter: string;
  /** Made where it is missing. */
  readonly keyspace: string;
  /**
   * Replicas by data centre: `{ dc1: 3 }`. Only read when the keyspace is made. Default: as many as the data centre has
   * nodes, at most three, if there is no other one.
   */
  readonly replication?: Readonly<Record<string, number>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Installations that share a keyspace, kept apart. Default: none. */
  readonly space?: string;
};
