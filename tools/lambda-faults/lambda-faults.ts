// A proxy in front of an endpoint of AWS Lambda (ministack, moto): it does on request what AWS does on bad days, and
// writes down every call.
//
//   await using faults = await openLambdaFaults({ target: "http://127.0.0.1:4566" }, signal);
//   const armed = faults.arm({ operation: "PublishVersion", what: { type: "lost", when: "after" } });
//   … a client with `endpoint: faults.endpoint` …
//   await armed.hit;
//
// A call goes through in this order: named, written down, counted by the armed faults; hooks `before`; a fault `before`
// answers it; else emulation or the target does; activations are noted and shown; hooks `after`; a fault `after`
// replaces the answer. A caller that is gone changes nothing: what was sent has its effect, as on AWS.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createActivations } from "./activations.ts";
import { errorAnswer, xmlErrorAnswer } from "./answers.ts";
import {
  type Answer,
  type Call,
  loggedAnswer,
  loggedHeaders,
  loggedRequest,
  nowMs,
  parsedRequest,
} from "./call.ts";
import { createEmulation, type Emulate, type Target } from "./emulation.ts";
import { type Armed, armedFaults, type Due, type Fault, type When } from "./fault.ts";
import { callsMax as callsMaxDefault, keepAliveMs, requestBytesMax } from "./limits.ts";
import { nameOf } from "./operation.ts";
import { upstream } from "./target.ts";

export type LambdaFaultsOptions = {
  /** http://host:port */
  readonly target: string;
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  readonly emulate?: Emulate;
  /** How many calls `calls` keeps; default: `limits.ts`. */
  readonly callsMax?: number;
  /** Called once a call has ended, answered or cut. */
  readonly onEnd?: (call: Call) => void;
};

export type Hook = (call: Call, when: When) => void | Promise<void>;

export type LambdaFaults = AsyncDisposable & {
  /** http://host:port, for clients. */
  readonly endpoint: string;
  /** In the order of arrival, the newest `callsMax`; live. */
  readonly calls: readonly Call[];
  /** How many older ones `calls` has let go. */
  readonly dropped: number;
  arm(fault: Fault): Armed;
  /** Disarms all, forgets slow and failed activations, and empties `calls`; their numbers go on. */
  clear(): void;
  /**
   * Around each call: before it is forwarded, and after its effect, before the answer (not where it was not forwarded).
   * The call waits for it; when it rejects, the caller gets a 500 that says so. Gives what takes the hook away.
   */
  onCall(hook: Hook): () => void;
};

/** The caller's connection is cut: nothing is answered. */
const CUT = Symbol("cut");
type Told = Answer | typeof CUT;

class TooLargeError extends Error {}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > requestBytesMax) throw new TooLargeError(`a request above ${requestBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function toldBy({ what }: Fault, call: Call): Told {
  if (what.type !== "error") return CUT;
  const error = { status: what.status, code: what.code, message: `Injected at call ${call.n}.` };
  if (call.request.path === "/") return xmlErrorAnswer(error);
  const more = what.status === 429 ? { Reason: "CallerRateLimitExceeded", retryAfterSeconds: "1" } : {};
  return errorAnswer({ ...error, more });
}

const whenOf = ({ what }: Fault): When | undefined =>
  what.type === "error" || what.type === "lost"
    ? what.when
    : what.type === "hook"
      ? (what.when ?? "before")
      : "after";

export async function openLambdaFaults(
  { target, listen = {}, emulate = {}, callsMax = callsMaxDefault, onEnd }: LambdaFaultsOptions,
  signal: AbortSignal,
): Promise<LambdaFaults> {
  const closing = new AbortController();
  await using stack = new AsyncDisposableStack();
  const destination = stack.use(upstream(new URL(target), AbortSignal.any([signal, closing.signal])));
  const faults = armedFaults();
  const activations = createActivations();
  const emulation = createEmulation(emulate);
  const hooks = new Set<Hook>();
  const calls: Call[] = [];
  let arrived = 0;
  let dropped = 0;

  const write = (request: IncomingMessage, bytes: Buffer, body: unknown): Call => {
    const { method = "", url: path = "", headers } = request;
    arrived += 1;
    const call: Call = {
      n: arrived,
      ...nameOf({ method, path, body }),
      atMs: nowMs(),
      request: { method, path, headers: loggedHeaders(headers), body: loggedRequest(bytes, body) },
    };
    calls.push(call);
    if (calls.length > callsMax) {
      calls.shift();
      dropped += 1;
    }
    return call;
  };

  const meet = (call: Call, { fault, met }: Due): void => {
    call.injected ??= fault;
    met();
  };

  /** The fault's own hooks, then everybody's. */
  const around = async (call: Call, when: When, due: readonly Due[]): Promise<void> => {
    for (const { fault, met } of due)
      if (fault.what.type === "hook" && whenOf(fault) === when) {
        meet(call, { fault, met });
        await fault.what.run?.(call);
      }
    for (const hook of hooks) await hook(call, when);
  };

  /** Of several that would answer one call, the one that was armed first does. */
  const replacing = (due: readonly Due[], when: When): Due | undefined =>
    due.find(
      ({ fault }) => (fault.what.type === "error" || fault.what.type === "lost") && whenOf(fault) === when,
    );

  const effectOf = async (request: IncomingMessage, bytes: Buffer, body: unknown, call: Call) => {
    const { method = "", url: path = "", headers } = request;
    const { authorization } = headers;
    const asked: Target = {
      ask: (asking, where) =>
        // Account and region are in what signs a request.
        destination.send({ method: asking, path: where, headers: { authorization }, body: Buffer.alloc(0) }),
      isUnderWay: activations.isUnderWay,
    };
    const emulated = await emulation.answer(call, body, asked);
    return emulated ?? (await destination.send({ method, path, headers, body: bytes }));
  };

  const through = async (
    request: IncomingMessage,
    bytes: Buffer,
    body: unknown,
    call: Call,
  ): Promise<Told> => {
    const due = faults.due(call);
    await around(call, "before", due);
    const before = replacing(due, "before");
    if (before !== undefined) {
      meet(call, before);
      return toldBy(before.fault, call);
    }
    const effect = await effectOf(request, bytes, body, call);
    call.forwarded = loggedAnswer(effect);
    const activation: { slow?: number; failed?: string } = {};
    for (const each of due) {
      const { what } = each.fault;
      if (what.type === "slow") activation.slow = what.forms;
      else if (what.type === "failed") activation.failed = what.reason;
      else continue;
      // A write that the target refused has started nothing.
      if (effect.status < 300) meet(call, each);
    }
    const shown = activations.read(call, activations.started(call, effect, activation));
    await around(call, "after", due);
    const after = replacing(due, "after");
    if (after === undefined) return shown;
    meet(call, after);
    return toldBy(after.fault, call);
  };

  const reply = (response: ServerResponse, told: Told, call: Call): void => {
    call.endedAtMs = nowMs();
    if (told === CUT) response.destroy();
    else {
      call.response = loggedAnswer(told);
      const length = told.status === 204 ? {} : { "content-length": told.body.length };
      response.writeHead(told.status, { ...told.headers, ...length });
      response.end(told.body);
    }
    onEnd?.(call);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const bytes = await bodyOf(request);
    const body = parsedRequest(bytes, request.headers["content-type"]);
    const call = write(request, bytes, body);
    const told = await through(request, bytes, body, call).catch((error: unknown): Told => {
      // As a load balancer does that has nobody to ask; and where a test's own hook is wrong, it is to be seen.
      const message = `lambda-faults: call ${call.n} (${call.operation}) got no answer: ${String(error)}`;
      return errorAnswer({ status: 500, code: "ServiceException", message });
    });
    reply(response, told, call);
  };

  const serving = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const served = serve(request, response)
      // What cannot be read is no call, and not written down: a caller may have gone while it sent it.
      .catch((error: unknown) => {
        if (!(error instanceof TooLargeError)) return void response.destroy();
        const code = "RequestEntityTooLargeException";
        const { status, headers, body } = errorAnswer({ status: 413, code, message: error.message });
        response.writeHead(status, { ...headers, connection: "close" }).end(body);
      })
      .finally(() => serving.delete(served));
    serving.add(served);
  });
  server.keepAliveTimeout = keepAliveMs;
  server.listen(listen.port ?? 0, listen.host ?? "127.0.0.1");
  await once(server, "listening", { signal });
  stack.defer(async () => {
    closing.abort(new Error("the proxy is closed"));
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
    await Promise.allSettled(serving);
  });
  const { address, port } = server.address() as AddressInfo;
  const owned = stack.move();
  return {
    endpoint: `http://${address}:${port}`,
    calls,
    get dropped() {
      return dropped;
    },
    arm: faults.arm,
    clear: () => {
      faults.clear();
      activations.clear();
      calls.length = 0;
      dropped = 0;
    },
    onCall: (hook) => {
      hooks.add(hook);
      return () => void hooks.delete(hook);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
