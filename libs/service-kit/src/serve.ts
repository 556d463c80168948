/**
 * Runs services on a port: gRPC by grpc-js, with health and reflection.
 *
 * S1. Disposal is idempotent, takes no new calls, waits for those under way up to a limit, then ends them.
 */
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import type { Clock, Ids, Log } from "@greco/ports";
import type { Authority } from "./authority/caller.ts";
import { roleTable } from "./authority/rules.ts";
import { createCalls, type Calls } from "./calls.ts";
import { createRequestCheck } from "./check-request.ts";
import { createEdge } from "./edge.ts";
import { grpcService } from "./grpc.ts";
import { explainOwnAnswers, explainUnknownMethods } from "./grpc-answers.ts";
import type { ServiceImplementation } from "./handlers.ts";
import { systemIds } from "./ids.ts";
import { createHealth } from "./health.ts";
import { SERVER_LIMITS, type ServerLimits } from "./limits.ts";
import { createReflection } from "./reflection.ts";

/** Port 0: any free one. */
export type Listen = { readonly host: string; readonly port: number };

export type ServeOptions = {
  readonly services: readonly ServiceImplementation[];
  readonly listen: Listen;
  readonly authority: Authority;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits?: Partial<ServerLimits>;
  readonly ids?: Ids;
  /** What a broken invariant does; default: it is thrown where nobody catches it. */
  readonly crash?: (error: unknown) => void;
};

export interface Server extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:50051`, as a client wants it. */
  readonly address: string;
  /** What health answers, for all services or for one (its full name); true from the start. */
  setServing(serving: boolean, service?: string): void;
}

/** `signal` bounds the start; afterwards the server runs until it is disposed. */
export async function serve(options: ServeOptions, signal: AbortSignal): Promise<Server> {
  signal.throwIfAborted();
  const { clock } = options;
  // I14: a method without a role is served to nobody.
  roleTable(options.services.map(({ service }) => service));
  const own = options.services.map(({ service }) => service);
  const health = createHealth(own.map(({ typeName }) => typeName));
  const aboutItself = [health.implementation, ...createReflection([...own, health.implementation.service])];
  const open = new Set(aboutItself.map(({ service }) => service));
  const limits = { ...SERVER_LIMITS, ...options.limits };
  const calls = createCalls();
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
    interceptors: [explainOwnAnswers(limits)],
  });
  const paths: string[] = [];
  for (const each of [...options.services, ...aboutItself]) {
    const { definition, implementation } = grpcService(each, edge, calls);
    grpc.addService(definition, implementation);
    paths.push(...Object.values(definition).map(({ path }) => path));
  }
  explainUnknownMethods(grpc, paths);
  const port = await bind(grpc, options.listen);
  if (signal.aborted) {
    grpc.forceShutdown();
    signal.throwIfAborted();
  }
  let disposal: Promise<void> | undefined;
  return {
    port,
    address: hostPort(options.listen.host, port),
    setServing: health.set,
    [Symbol.asyncDispose]() {
      // S1: whoever balances load looks here first.
      health.set(false);
      disposal ??= stop(grpc, calls, clock, limits);
      return disposal;
    },
  };
}

function bind(grpc: GrpcServer, { host, port }: Listen): Promise<number> {
  return new Promise((resolve, reject) => {
    grpc.bindAsync(hostPort(host, port), ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else
        reject(new Error(`cannot listen on ${hostPort(host, port)}: choose another port`, { cause: error }));
    });
  });
}

/** S1 */
async function stop(grpc: GrpcServer, calls: Calls, clock: Clock, limits: ServerLimits): Promise<void> {
  const closed = new Promise<void>((resolve) => grpc.tryShutdown(() => resolve()));
  const idle = calls.idle();
  if (!(await within(idle, limits.streamDrainMs, clock))) {
    calls.abort("streams");
    if (!(await within(idle, limits.drainMs - limits.streamDrainMs, clock))) calls.abort("all");
  }
  // Answers still on their way out; then connections that their clients keep open.
  await within(closed, limits.streamDrainMs, clock);
  grpc.forceShutdown();
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

export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
