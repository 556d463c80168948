/**
 * The same handlers over Connect and gRPC-Web, for browsers and whoever speaks HTTP/1.1 (connect-node).
 *
 * N1. The same order as over gRPC: the token is checked before the body is read, and every answer that is no success
 *     has exactly one ErrorInfo, those that connect-node gives by itself included.
 */
import type { Message } from "@bufbuild/protobuf";
import {
  Code as ConnectCode,
  ConnectError,
  createContextKey,
  type ConnectRouter,
  type HandlerContext,
} from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "@greco/contracts/google/rpc/error_details";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Caller } from "./authority/caller.ts";
import type { Calls, CallScope } from "./calls.ts";
import type { Arrival, Edge } from "./edge.ts";
import { Fault, fault, type FaultKind } from "./fault.ts";
import { codeOf, faultDetails, STATUS_DETAILS_KEY, statusOf, toFault } from "./fault-status.ts";
import { methodName, type Endpoint } from "./handlers.ts";
import type { ServerLimits } from "./limits.ts";

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

const callerKey = createContextKey<Caller | undefined>(undefined);

export function connectHandler(
  endpoints: readonly Endpoint[],
  edge: Edge,
  calls: Calls,
  limits: ServerLimits,
  fallback: HttpHandler,
): HttpHandler {
  return connectNodeAdapter({
    grpc: false,
    readMaxBytes: limits.messageBytesMax,
    writeMaxBytes: limits.messageBytesMax,
    fallback: fallback as NonNullable<Parameters<typeof connectNodeAdapter>[0]["fallback"]>,
    async requestGate(context) {
      // N1: what connect-node refuses it gives as the reason of this signal, before it is written.
      context.signal.addEventListener("abort", () => explain(context.signal.reason));
      try {
        const header = context.requestHeader.get("authorization") ?? undefined;
        context.values.set(callerKey, await edge.authenticate(context.method, header));
      } catch (error) {
        throw connectError(toFault(error));
      }
    },
    routes(router) {
      for (const endpoint of endpoints) route(router, endpoint, edge, calls);
    },
  });
}

function route(router: ConnectRouter, endpoint: Endpoint, edge: Edge, calls: Calls): void {
  const { method } = endpoint;
  switch (endpoint.kind) {
    case "unary":
      router.rpc(method as typeof method & { methodKind: "unary" }, async (request: Message, context) => {
        const scope = open(context, calls, endpoint);
        try {
          return await edge.unary(endpoint, arrivalOf(context, scope), () => request);
        } catch (error) {
          const failure = edge.fail(error, endpoint, scope.signal);
          scope.done(failure);
          throw connectError(failure);
        } finally {
          scope.done();
        }
      });
      break;
    case "server_streaming":
      router.rpc(
        method as typeof method & { methodKind: "server_streaming" },
        (request: Message, context) => {
          const scope = open(context, calls, endpoint);
          const responses = edge.serverStream(endpoint, arrivalOf(context, scope), () => request);
          return answered(responses, endpoint, edge, scope);
        },
      );
      break;
    case "bidi_streaming":
      router.rpc(method as typeof method & { methodKind: "bidi_streaming" }, (requests, context) => {
        const scope = open(context, calls, endpoint);
        const responses = edge.bidi(endpoint, arrivalOf(context, scope), sourcesOf(requests));
        return answered(responses, endpoint, edge, scope);
      });
      break;
  }
}

function open(context: HandlerContext, calls: Calls, endpoint: Endpoint): CallScope {
  const scope = calls.start(endpoint);
  const onAbort = (): void => scope.abort(() => whyAborted(context.signal.reason));
  context.signal.addEventListener("abort", onAbort);
  if (context.signal.aborted) onAbort();
  return scope;
}

function whyAborted(reason: unknown): Fault {
  return reason instanceof ConnectError && reason.code === ConnectCode.DeadlineExceeded
    ? fault.deadline("DEADLINE_EXCEEDED", "the caller's deadline passed: allow more time, or ask for less")
    : fault.cancelled("CANCELLED", "the caller cancelled the call or its connection was lost");
}

function arrivalOf(context: HandlerContext, scope: CallScope): Arrival {
  return {
    caller() {
      const caller = context.values.get(callerKey);
      if (caller === undefined) throw new Error(`${methodName(context.method)} was reached past its gate`);
      return caller;
    },
    signal: scope.signal,
    traceparent: context.requestHeader.get("traceparent") ?? undefined,
  };
}

async function* answered(
  responses: AsyncIterable<Message>,
  endpoint: Endpoint,
  edge: Edge,
  scope: CallScope,
): AsyncIterable<Message> {
  try {
    for await (const response of responses) {
      scope.signal.throwIfAborted();
      yield response;
    }
  } catch (error) {
    const failure = edge.fail(error, endpoint, scope.signal);
    scope.done(failure);
    throw connectError(failure);
  } finally {
    scope.done();
  }
}

/** A message that does not decode is the caller's fault, not the handler's that reads it. */
async function* sourcesOf(requests: AsyncIterable<Message>): AsyncIterable<() => Message> {
  try {
    for await (const request of requests) yield () => request;
  } catch (error) {
    throw error instanceof ConnectError ? faultOf(error) : error;
  }
}

function connectError(given: Fault): ConnectError {
  // Codes are gRPC's numbers in both.
  return new ConnectError(given.message.toWellFormed(), codeOf(given) as number, undefined, [
    ...faultDetails(given),
  ]);
}

/** N1 */
function explain(error: unknown): void {
  if (!(error instanceof ConnectError)) return;
  const has = error.details.some((each) => "desc" in each && each.desc.typeName === ErrorInfoSchema.typeName);
  if (has) return;
  const given = faultOf(error);
  error.details.push(...faultDetails(given));
  // A binary request that does not decode: INTERNAL to connect-node, the caller's own fault to us (I15).
  Object.assign(error, { code: codeOf(given) });
}

const reasons: Partial<Record<ConnectCode, readonly [kind: FaultKind, reason: string]>> = {
  [ConnectCode.InvalidArgument]: ["invalid", "MALFORMED_REQUEST"],
  [ConnectCode.ResourceExhausted]: ["exhausted", "MESSAGE_TOO_LARGE"],
  [ConnectCode.DeadlineExceeded]: ["deadline", "DEADLINE_EXCEEDED"],
  [ConnectCode.Canceled]: ["cancelled", "CANCELLED"],
  [ConnectCode.Aborted]: ["cancelled", "CANCELLED"],
  [ConnectCode.Unimplemented]: ["unimplemented", "UNSUPPORTED_ENCODING"],
};

function faultOf(error: ConnectError): Fault {
  const malformed = error.rawMessage.startsWith("parse binary:");
  const code = malformed ? ConnectCode.InvalidArgument : error.code;
  const [kind, reason] = reasons[code] ?? (["internal", "TRANSPORT"] as const);
  return new Fault(kind, reason, error.rawMessage);
}

/** What a path gets at which nothing is served, in the protocol in which it was asked. */
export function answerUnknownPath(given: Fault, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const type = request.headers["content-type"] ?? "";
  if (type.startsWith("application/grpc-web")) {
    const { code, details, metadata } = statusOf(given);
    const bytes = metadata.get(STATUS_DETAILS_KEY)[0] ?? "";
    response.writeHead(200, {
      "content-type": type,
      "grpc-status": code,
      "grpc-message": encodeURIComponent(details),
      [STATUS_DETAILS_KEY]: Buffer.from(bytes).toString("base64"),
    });
    response.end();
    return;
  }
  response.writeHead(404, { "content-type": "application/json" });
  response.end(JSON.stringify(errorToJson(connectError(given), undefined)));
}
