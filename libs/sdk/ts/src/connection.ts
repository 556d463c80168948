/**
 * A connection to one address, shared by the clients made on it. Connections of one process to one address share
 * their socket (grpc-js pools them), so one a component costs nothing.
 */
import { Client as GrpcClient, credentials } from "@grpc/grpc-js";
import { DEFAULT_BACKOFF, type BackoffOptions } from "./backoff.ts";

/** A token, or a function that is asked before each call, for tokens that change (`tokenFromFile`). */
export type TokenSource = string | (() => string | Promise<string>);

export type ConnectionOptions = {
  readonly token?: TokenSource | undefined;
  /** For each unary call without a `timeoutMs` of its own, its repeats included. Streams have none. Absent: none. */
  readonly deadlineMs?: number | undefined;
  readonly reads?: Partial<ReadRetryOptions> | undefined;
};

/** Reads (the contract marks them) are repeated while the service is UNAVAILABLE; writes never by themselves. */
export type ReadRetryOptions = BackoffOptions & {
  /** The first one included; 1: no repeats. */
  readonly attempts: number;
};

export interface Connection extends AsyncDisposable {
  readonly address: string;
  readonly deadlineMs: number | undefined;
  readonly reads: ReadRetryOptions;
  readonly grpc: GrpcClient;
  /** Aborts when the connection is disposed, and with it the calls under way. */
  readonly closed: AbortSignal;
  token(): string | undefined | Promise<string>;
}

/** `address` is `host:port` or any target of gRPC's (`dns:///registry:50051`). Connects at the first call. */
export function connect(address: string, options: ConnectionOptions = {}): Connection {
  const grpc = new GrpcClient(address, credentials.createInsecure(), {
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.initial_reconnect_backoff_ms": RECONNECT_MS,
    "grpc.max_reconnect_backoff_ms": RECONNECT_MAX_MS,
  });
  const closing = new AbortController();
  const { token } = options;
  return {
    address,
    deadlineMs: options.deadlineMs,
    reads: { attempts: READ_ATTEMPTS, ...DEFAULT_BACKOFF, ...options.reads },
    grpc,
    closed: closing.signal,
    token: typeof token === "function" ? token : () => token,
    [Symbol.asyncDispose]() {
      closing.abort();
      grpc.close();
      return Promise.resolve();
    },
  };
}

/** A dead peer is noticed within half a minute; servers that count pings allow one in 10 s. */
const KEEPALIVE_MS = 20_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** A service that restarts is found again at once; one that is gone is not hammered. */
const RECONNECT_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** With the backoff, three seconds at most: as long as a restart takes. */
const READ_ATTEMPTS = 6;
