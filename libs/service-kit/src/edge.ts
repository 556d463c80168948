/**
 * What every call passes, over every transport, in this order: authenticate, decode, check, authorise, handle;
 * and what every failure becomes: one fault, logged once if nobody foresaw it.
 *
 * E1 (I14). No handler sees a request before `authority` has let it through, each message of a stream included.
 * E2 (I15). No handler sees a request that does not decode or breaks its rules.
 * E3. An unforeseen error is answered INTERNAL with a correlation id, logged once with its causes, and the
 *     process goes on; a broken invariant ends the process.
 */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { InvariantError } from "@greco/domain/model";
import type { Ids, Log } from "@greco/ports";
import { inSpan, underTrace } from "@greco/telemetry";
import type { Authority, Caller } from "./authority/caller.ts";
import type { CheckRequest } from "./check-request.ts";
import { type Fault, fault } from "./fault.ts";
import { toFault } from "./fault-status.ts";
import { methodName, type CallContext, type Endpoint } from "./handlers.ts";

export type EdgeOptions = {
  readonly authority: Authority;
  /** Methods that need no token: those that every server serves about itself. */
  readonly open: (method: DescMethod) => boolean;
  readonly check: CheckRequest;
  readonly log: Log;
  readonly ids: Ids;
  /** Ends the process. */
  readonly crash: (error: unknown) => void;
};

/** What a transport knows of a call before its first message. `caller` is asked once, first. */
export type Arrival = {
  readonly caller: () => Caller | Promise<Caller>;
  readonly signal: AbortSignal;
  /** The caller's trace, as W3C writes it. */
  readonly traceparent?: string | undefined;
};

export type Edge = {
  /** `authorization` is the header's value. */
  authenticate(method: DescMethod, authorization: string | undefined): Caller | Promise<Caller>;
  unary(endpoint: Endpoint & { kind: "unary" }, arrival: Arrival, request: RequestSource): Promise<Message>;
  serverStream(
    endpoint: Endpoint & { kind: "server_streaming" },
    arrival: Arrival,
    request: RequestSource,
  ): AsyncIterable<Message>;
  bidi(
    endpoint: Endpoint & { kind: "bidi_streaming" },
    arrival: Arrival,
    requests: AsyncIterable<RequestSource>,
  ): AsyncIterable<Message>;
  /** The fault to answer with (E3). */
  fail(error: unknown, endpoint: Endpoint, signal: AbortSignal): Fault;
};

/** Decodes one message; a transport that has decoded it already returns it. Throws faults. */
export type RequestSource = () => Message;

export function createEdge({ authority, open, check, log, ids, crash }: EdgeOptions): Edge {
  async function admit(
    endpoint: Endpoint,
    caller: Caller,
    source: RequestSource,
    signal: AbortSignal,
  ): Promise<Message> {
    const request = source();
    check(endpoint.method.input, request); // E2
    if (open(endpoint.method)) return request;
    const authorised = authority.authorize(caller, endpoint.method, request, signal);
    if (authorised !== undefined) await authorised;
    return request;
  }

  return {
    authenticate: (method, authorization) =>
      open(method) ? anonymous : authority.authenticate(authorization, method),

    unary(endpoint, arrival, source) {
      const answer = async (): Promise<Message> => {
        const caller = await arrival.caller();
        const request = await admit(endpoint, caller, source, arrival.signal);
        const response = await endpoint.handler(request, contextOf(endpoint, caller, arrival, log));
        return create(endpoint.method.output, response);
      };
      // Streams have no span: they last as long as somebody watches.
      if (open(endpoint.method)) return answer();
      const name = methodName(endpoint.method);
      return underTrace(arrival.traceparent, () => inSpan(name, RPC, answer, "server"));
    },

    async *serverStream(endpoint, arrival, source) {
      const caller = await arrival.caller();
      const request = await admit(endpoint, caller, source, arrival.signal);
      for await (const response of endpoint.handler(request, contextOf(endpoint, caller, arrival, log)))
        yield create(endpoint.method.output, response);
    },

    async *bidi(endpoint, arrival, sources) {
      const caller = await arrival.caller();
      const iterator = sources[Symbol.asyncIterator]();
      // E1: the first message decides before the handler starts; without one there is nothing to handle.
      const first = await iterator.next();
      if (first.done === true) return;
      const firstRequest = await admit(endpoint, caller, first.value, arrival.signal);
      const requests = async function* (): AsyncIterable<Message> {
        yield firstRequest;
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
          yield await admit(endpoint, caller, next.value, arrival.signal);
      };
      for await (const response of endpoint.handler(requests(), contextOf(endpoint, caller, arrival, log)))
        yield create(endpoint.method.output, response);
    },

    fail(error, endpoint, signal) {
      if (error instanceof InvariantError) crash(error);
      const given = toFault(error, signal);
      if (given.kind !== "internal") return given;
      const correlationId = ids.next();
      log.error("call.failed", {
        method: methodName(endpoint.method),
        correlationId,
        error: given.cause ?? given,
      });
      return fault.internal(given.cause, correlationId);
    },
  };
}

const RPC = { "rpc.system": "grpc" };
const anonymous: Caller = { subject: "anonymous" };

/** The log is made when it is first used: most calls say nothing. */
function contextOf(endpoint: Endpoint, caller: Caller, arrival: Arrival, log: Log): CallContext {
  const method = methodName(endpoint.method);
  let own: Log | undefined;
  return {
    signal: arrival.signal,
    caller,
    method,
    get log() {
      own ??= log.child({ method, subject: caller.subject });
      return own;
    },
  };
}
