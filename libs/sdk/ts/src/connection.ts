/**
 * A connection to one address, shared by the clients made on it. Connections of one process to one address
 * share their socket (grpc-js pools them), so one a component costs nothing.
 */
import { Client as GrpcClient, credentials } from "@grpc/grpc-js";

/** A token, or a function that is asked before each call, for tokens that expire. */
export type TokenSource = string | (() => string | Promise<string>);

export type ConnectionOptions = {
  readonly token?: TokenSource;
  /** For each call without a `timeoutMs` of its own. Absent: none. */
  readonly deadlineMs?: number;
};

export interface Connection extends AsyncDisposable {
  readonly address: string;
  readonly deadlineMs: number | undefined;
  readonly grpc: GrpcClient;
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
  const { token } = options;
  return {
    address,
    deadlineMs: options.deadlineMs,
    grpc,
    token: typeof token === "function" ? token : () => token,
    [Symbol.asyncDispose]() {
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
