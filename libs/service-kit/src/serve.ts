/**
 * Runs services: gRPC by grpc-js on one port, Connect and gRPC-Web on another if asked, with health and reflection.
 *
 * S1. Disposal is idempotent: it says NOT_SERVING, takes no new calls, waits for those under way up to a limit, ends
 *     those that last, and closes what is left.
 */
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import type { Clock, Ids, Log, Metrics } from "@greco/ports";
import type { Authority } from "./authority/caller.ts";
import { roleTable } from "./authority/rules.ts";
import { callMeter } from "./call-metrics.ts";
import { createCalls, type Calls } from "./calls.ts";
import { createRequestCheck } from "./check-request.ts";
import { systemClock } from "./clock.ts";
import { connectAddress, serveConnect, type ConnectListen, type ConnectServer } from "./connect-server.ts";
import { createEdge } from "./edge.ts";
import { grpcService } from "./grpc.ts";
import { explainOwnAnswers, explainUnknownMethods } from "./grpc-answers.ts";
import type { ServiceImplementation } from "./handlers.ts";
import { createHealth } from "./health.ts";
import { systemIds } from "./ids.ts";
import { SERVER_LIMITS, type ServerLimits } from "./limits.ts";
import { cannotListen, hostPort, type Listen } from "./listen.ts";
import type { Readiness } from "./readiness.ts";
import { createReflection } from "./reflection.ts";

export type ServeOptions = {
  readonly services: readonly ServiceImplementation[];
  readonly listen: Listen;
  /** The second port; absent: none. */
  readonly connect?: ConnectListen;
  readonly authority: Authority;
  readonly log: Log;
  readonly limits?: Partial<ServerLimits>;
  readonly ids?: Ids;
  /** Counts the limits of a stop. A network is in real time, and so is the default. */
  readonly clock?: Clock;
  /** What a broken invariant does; default: it is thrown where nobody catches it. */
  readonly crash?: (error: unknown) => void;
  /** Health says NOT_SERVING while this says that something needed is missing. */
  readonly readiness?: Readiness | undefined;
  /** Counts what is answered; absent: nothing does. */
  readonly metrics?: Metrics | undefined;
};

export interface Server extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:50051`, as a client wants it. */
  readonly address: string;
  readonly connectPort?: number;
  /** `http://127.0.0.1:8080` */
  readonly connectAddress?: string;
  /** What health answers, for all services or for one (its full name); true from the start. */
  setServing(serving: boolean, service?: string): void;
}

/** `signal` bounds the start; afterwards the server runs until it is disposed. */
export async function serve(options: ServeOptions, signal: AbortSignal): Promise<Server> {
  signal.throwIfAborted();
  const own = options.services.map(({ service }) => service);
  // I14: a method without a role is served to nobody.
  roleTable(own);
  const limits = { ...SERVER_LIMITS, ...options.limits };
  const health = createHealth(own.map(({ typeName }) => typeName));
  const aboutItself = [health.implementation, ...createReflection([...own, health.implementation.service])];
  const open = new Set(aboutItself.map(({ service }) => service));
  const services = [...options.services, ...aboutItself];
  const { metrics, clock = systemClock } = options;
  const calls = createCalls(metrics && callMeter(metrics, clock));
  const edge = createEdge({
    authority: options.authority,
    open: (method) => open.has(method.parent),
    check: createRequestCheck(),
    log: options.log,
    ids: options.ids ?? systemIds,
    crash: options.crash ?? throwUncaught,
  });

  const grpc = new GrpcServer({
    "grpc.max_receive_message_length": limits.messageBytesMax,
    "grpc.max_send_message_length": limits.messageBytesMax,
    "grpc.max_concurrent_streams": limits.concurrentStreamsMax,
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveMs / 2,
    // Nobody asks for it, and it counts in every call.
    "grpc.enable_channelz": 0,
    interceptors: [explainOwnAnswers(limits)],
  });
  const paths: string[] = [];
  for (const each of services) {
    const { definition, implementation } = grpcService(each, edge, calls);
    grpc.addService(definition, implementation);
    paths.push(...Object.values(definition).map(({ path }) => path));
  }
  explainUnknownMethods(grpc, paths);

  const { connect: connectListen } = options;
  let connect: ConnectServer | undefined;
  let port: number;
  try {
    if (connectListen !== undefined)
      connect = await serveConnect(services, connectListen, edge, calls, limits);
    port = await bind(grpc, options.listen);
    signal.throwIfAborted();
  } catch (error) {
    grpc.forceShutdown();
    await connect?.close();
    throw error;
  }

  const { readiness } = options;
  const follow = (): void => health.set(readiness?.ready ?? true);
  const unfollow = readiness?.listen(follow);
  if (readiness?.ready === false) follow();

  let disposal: Promise<void> | undefined;
  return {
    port,
    address: hostPort(options.listen.host, port),
    ...(connect === undefined || connectListen === undefined
      ? {}
      : { connectPort: connect.port, connectAddress: connectAddress(connectListen, connect.port) }),
    setServing: health.set,
    [Symbol.asyncDispose]() {
      // S1: whoever balances load looks here first.
      unfollow?.();
      health.set(false);
      disposal ??= stop(grpc, connect, calls, clock, limits);
      return disposal;
    },
  };
}

function bind(grpc: GrpcServer, listen: Listen): Promise<number> {
  const address = hostPort(listen.host, listen.port);
  return new Promise((resolve, reject) => {
    grpc.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(cannotListen(listen, error));
    });
  });
}

/** S1 */
async function stop(
  grpc: GrpcServer,
  connect: ConnectServer | undefined,
  calls: Calls,
  clock: Clock,
  limits: ServerLimits,
): Promise<void> {
  const closed = Promise.all([
    new Promise<void>((resolve) => grpc.tryShutdown(() => resolve())),
    connect?.close(),
  ]).then(() => undefined);
  const idle = calls.idle();
  if (!(await within(idle, limits.streamDrainMs, clock))) {
    calls.abort("streams");
    if (!(await within(idle, limits.drainMs - limits.streamDrainMs, clock))) calls.abort("all");
  }
  // Answers still on their way out; then connections that their clients keep open.
  await within(closed, limits.streamDrainMs, clock);
  grpc.forceShutdown();
  connect?.forceClose();
  await closed;
}

async function within(promise: Promise<void>, ms: number, clock: Clock): Promise<boolean> {
  const timer = new AbortController();
  const late = clock.sleep(Math.max(0, ms), timer.signal).then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    timer.abort();
  }
}

function throwUncaught(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
