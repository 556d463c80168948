/**
 * One connection to NATS that comes back for ever: pings find one that is cut without a word, the client reconnects,
 * and where it gives up all the same (refused credentials, say) it is begun anew. Whoever uses it asks for it each
 * time. Secrets are read again at each connect.
 */
import { readFileSync } from "node:fs";
import { type Clock, type Log, StoreUnavailableError } from "@greco/ports";
import {
  connect,
  usernamePasswordAuthenticator,
  type NatsConnection,
  type TlsOptions,
} from "@nats-io/transport-node";
import { NATS_LIMITS } from "./limits.ts";
import { token } from "./subjects.ts";
import { closedError, until } from "./waiting.ts";

export type NatsCredentials = {
  readonly user: string;
  readonly password: string | { readonly file: string };
};

export type NatsOptions = {
  /** host:port of one or more; the others of a cluster are found by themselves. */
  readonly servers: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly credentials?: NatsCredentials;
  readonly tls?: TlsOptions;
  /** What servers show of this client. */
  readonly name?: string;
  /** Of subjects and streams; one for each deployment that shares a cluster. Default `greco`. */
  readonly streamPrefix?: string;
};

export class Link implements AsyncDisposable {
  readonly #options: NatsOptions;
  readonly #noEcho: boolean;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #dialing: Promise<void>;
  readonly #firstOutcome = Promise.withResolvers<void>();
  #connection: NatsConnection | undefined;
  #up = false;
  /** Aborts when what was asked over the connection as it stands will not be answered any more. */
  #standing = new AbortController();
  #disposed: Promise<void> | undefined;

  private constructor(options: NatsOptions, noEcho: boolean) {
    this.#options = options;
    this.#noEcho = noEcho;
    this.#dialing = this.#run();
  }

  /** Resolves when it is connected, or has failed for the first time and tries on. */
  static async open(
    options: NatsOptions,
    { noEcho }: { readonly noEcho: boolean },
    signal: AbortSignal,
  ): Promise<Link> {
    signal.throwIfAborted();
    const link = new Link(options, noEcho);
    try {
      await until(link.#firstOutcome.promise, signal);
      return link;
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Undefined: not connected just now. */
  get now(): NatsConnection | undefined {
    return this.#up ? this.#connection : undefined;
  }

  /** Aborts at the next disconnect: no answer comes to what was asked before it. */
  get standing(): AbortSignal {
    return this.#standing.signal;
  }

  /** Calls `listener` at each connect and reconnect until the returned function is called. */
  onConnected(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Waits until it is connected. */
  async connected(signal: AbortSignal): Promise<NatsConnection> {
    for (;;) {
      signal.throwIfAborted();
      if (this.now !== undefined) return this.now;
      const { promise, resolve } = Promise.withResolvers<void>();
      const off = this.onConnected(resolve);
      try {
        await until(promise, signal);
      } finally {
        off();
      }
    }
  }

  async #run(): Promise<void> {
    const { clock, log, servers } = this.#options;
    const { signal } = this.#closing;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const connection = await connect(this.#clientOptions());
        failures = 0;
        await this.#use(connection, signal);
        if (signal.aborted) return;
        log.warn("nats.closed", { servers });
      } catch (error) {
        failures += 1;
        // Said at once, and then now and then.
        if (failures % 30 === 1) log.warn("nats.unreachable", { servers, attempts: failures, error });
        this.#firstOutcome.resolve();
      }
      const { reconnectMs, backoffMaxMs } = NATS_LIMITS;
      const pauseMs = Math.min(backoffMaxMs, reconnectMs * Math.max(1, failures));
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }

  /** Until it is closed for good. */
  async #use(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return await connection.close();
    const watching = this.#watch(connection);
    this.#connection = connection;
    this.#cameUp(connection);
    this.#firstOutcome.resolve();
    await connection.closed();
    this.#wentDown();
    this.#connection = undefined;
    await watching;
  }

  async #watch(connection: NatsConnection): Promise<void> {
    const { log } = this.#options;
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        this.#wentDown();
        if (!this.#closing.signal.aborted) log.warn("nats.disconnected", { server: status.server });
      } else if (status.type === "reconnect") {
        this.#cameUp(connection);
      } else if (status.type === "error") {
        log.warn("nats.error", { error: status.error });
      }
    }
  }

  #wentDown(): void {
    this.#up = false;
    this.#standing.abort(new StoreUnavailableError("the connection to NATS is lost"));
  }

  #cameUp(connection: NatsConnection): void {
    this.#up = true;
    this.#standing = new AbortController();
    const { log } = this.#options;
    log.info("nats.connected", { server: connection.getServer(), version: connection.info?.version });
    for (const listener of [...this.#listeners]) listener();
  }

  #clientOptions(): Parameters<typeof connect>[0] {
    const { servers, credentials, tls, name } = this.#options;
    return {
      servers: [...servers],
      noEcho: this.#noEcho,
      // For ever, whatever the server says meanwhile.
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: NATS_LIMITS.reconnectMs,
      reconnectJitter: NATS_LIMITS.reconnectJitterMs,
      reconnectJitterTLS: NATS_LIMITS.reconnectJitterMs,
      pingInterval: NATS_LIMITS.pingIntervalMs,
      maxPingOut: NATS_LIMITS.pingsOutMax,
      timeout: NATS_LIMITS.connectMs,
      ...(name === undefined ? {} : { name }),
      ...(tls === undefined ? {} : { tls }),
      ...(credentials === undefined
        ? {}
        : {
            authenticator: usernamePasswordAuthenticator(credentials.user, () => passwordOf(credentials)),
            // One that reads the replies of all others' requests would read the control log.
            inboxPrefix: `_INBOX_${token(credentials.user)}`,
          }),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    const connection = this.now;
    this.#closing.abort(closedError("the connection to NATS"));
    if (connection !== undefined) {
      const over = new AbortController();
      const late = this.#options.clock.sleep(NATS_LIMITS.drainMs, over.signal).catch(() => undefined);
      await Promise.race([connection.drain().catch(() => undefined), late]);
      over.abort(new Error("drained"));
      await late;
    }
    await this.#connection?.close();
    await this.#dialing;
    this.#listeners.clear();
  }
}

function passwordOf({ password }: NatsCredentials): string {
  return typeof password === "string" ? password : readFileSync(password.file, "utf8").trim();
}
