/**
 * The nodes of a cluster, and which of them is asked. The leader is, where it is known: it saves a hop, no other
 * node's death is noticed then, and its own breaks the connection at once, instead of leaving a forwarded write to
 * its deadline. A failed call asks the next node.
 *
 * etcd3 has one client for all nodes, which asks a random one for each call; here it is one client a node.
 */
import { type CallOptions, InterceptingCall, type Interceptor } from "@grpc/grpc-js";
import { noop } from "cockatiel";
import type { Clock } from "@greco/ports";
import { Etcd3, type IOptions } from "etcd3";
import type { EtcdLimits } from "./limits.ts";

/** User and password, certificates: as etcd3 takes them. */
export type EtcdAuthority = Pick<IOptions, "auth" | "credentials">;

export type EtcdHost = { readonly address: string; readonly client: Etcd3 };

/** A node that is cut off from its leader says so, instead of waiting, or of serving a watch on stale state. */
const requireLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata, listener, next) {
      metadata.set("hasleader", "true");
      next(metadata, listener);
    },
  });

const GRPC_OPTIONS = {
  // A connection whose other end is gone without a word (power, a cut) is noticed within 5 s.
  "grpc.keepalive_time_ms": 3_000,
  "grpc.keepalive_timeout_ms": 2_000,
  "grpc.keepalive_permit_without_calls": 1,
  // Answers are paged by us; what etcd sends of a watch before it is announced is not divided.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.min_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 500,
  // Between etcd's nodes nothing is routed by a proxy.
  "grpc.enable_http_proxy": 0,
} as const;

/** For calls that name no deadline of their own, so that none can hang for ever. */
const DEFAULT_DEADLINE_MS = 5_000;

export const callOptions = (deadlineMs: number): CallOptions => ({
  deadline: Date.now() + deadlineMs,
  interceptors: [requireLeader],
});
export const streamOptions = (): CallOptions => ({ interceptors: [requireLeader] });

/** Without etcd3's own retries and circuit breakers: a write that is tried again silently may be done twice. */
const clientOf = (address: string, authority: EtcdAuthority): Etcd3 =>
  new Etcd3({
    ...authority,
    hosts: address,
    grpcOptions: GRPC_OPTIONS,
    defaultCallOptions: ({ isStream }) => (isStream ? streamOptions() : callOptions(DEFAULT_DEADLINE_MS)),
    faultHandling: { host: () => noop, global: noop },
  });

export type EtcdHosts = {
  readonly addresses: readonly string[];
  current(): EtcdHost;
  /** Another one is asked from now on, and the leader as soon as it is known. */
  failed(host: EtcdHost): void;
  /**
   * Resolves when, after a failure, a leader is known again, or enough time was given to it: what is sent before hangs,
   * because nodes pass writes on to a leader that is dead until they elect another.
   */
  settled(): Promise<void>;
  /** Asks all nodes who leads; the leader from now on, if one answers. */
  look(): Promise<void>;
  /** The lowest version of those that answer. */
  version(): Promise<string | undefined>;
  close(): void;
};

const parts = (version: string): number[] => version.split(".").map((part) => Number.parseInt(part, 10));

/** Negative: `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function createHosts(
  addresses: readonly string[],
  authority: EtcdAuthority,
  clock: Clock,
  limits: EtcdLimits,
): EtcdHosts {
  const hosts = addresses.map((address) => ({ address, client: clientOf(address, authority) }));
  const closing = new AbortController();
  let at = 0;
  let looking: Promise<void> | undefined;

  const current = (): EtcdHost => {
    const host = hosts[at % hosts.length];
    if (host === undefined) throw new RangeError("etcd needs at least one host: host:port");
    return host;
  };
  current();

  const ask = ({ client }: EtcdHost) => client.maintenance.status(callOptions(limits.readAttemptMs));

  /** Resolves as soon as one says that it leads, without waiting for one that hangs. */
  const look = (): Promise<boolean> =>
    Promise.any(
      hosts.map(async (host, index) => {
        const { leader, header } = await ask(host);
        if (leader !== header.member_id) throw new Error(`${host.address} does not lead`);
        at = index;
        return true;
      }),
    ).catch(() => false);

  const lookUntilFound = async (): Promise<void> => {
    const until = clock.monotonicMs() + limits.leaderMs;
    while (clock.monotonicMs() < until && !(await look()))
      await clock.sleep(limits.retryPauseMs, closing.signal);
  };

  return {
    addresses,
    current,
    failed(host) {
      if (host !== current() || hosts.length === 1) return;
      at++;
      looking ??= lookUntilFound()
        .catch(() => undefined)
        .finally(() => (looking = undefined));
    },
    settled: () => looking ?? Promise.resolve(),
    async look() {
      await look();
    },
    async version() {
      const answers = await Promise.allSettled(hosts.map(ask));
      const versions = answers.flatMap((each) => (each.status === "fulfilled" ? [each.value.version] : []));
      return versions.toSorted(compareVersions)[0];
    },
    close() {
      closing.abort(new Error("the store is closed"));
      for (const { client } of hosts) client.close();
    },
  };
}
