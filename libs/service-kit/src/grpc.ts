/**
 * Handlers on grpc-js. Messages cross it as bytes, so that decoding happens behind authentication, with our own
 * errors, and encoding before anything is sent.
 *
 * G1. A stream writes only what the caller takes: after a full buffer it waits for `drain`.
 * G2. Cancellation and deadline abort the handler's signal; the handler's end ends the call.
 */
import type { Message } from "@bufbuild/protobuf";
import {
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Calls, CallScope } from "./calls.ts";
import { decodeRequest } from "./decode.ts";
import type { Arrival, Edge } from "./edge.ts";
import { encode } from "./encode.ts";
import { type Fault, fault } from "./fault.ts";
import { statusOf } from "./fault-status.ts";
import type { Endpoint, ServiceImplementation } from "./handlers.ts";

type Bytes = Buffer;
type Unary = ServerUnaryCall<Bytes, Bytes>;
type Writable = ServerWritableStream<Bytes, Bytes>;
type Duplex = ServerDuplexStream<Bytes, Bytes>;
type AnyCall = Pick<Unary, "metadata" | "getDeadline"> & NodeJS.EventEmitter;

export type GrpcService = {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
};

export function grpcService({ endpoints }: ServiceImplementation, edge: Edge, calls: Calls): GrpcService {
  const definition: Record<string, MethodDefinition<Bytes, Bytes>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const endpoint of endpoints) {
    const name = endpoint.method.localName;
    definition[name] = {
      path: `/${endpoint.method.parent.typeName}/${endpoint.method.name}`,
      requestStream: endpoint.kind === "bidi_streaming",
      responseStream: endpoint.kind !== "unary",
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    implementation[name] = adapter(endpoint, edge, calls);
  }
  return { definition, implementation };
}

const same = (bytes: Bytes): Bytes => bytes;

function adapter(endpoint: Endpoint, edge: Edge, calls: Calls): UntypedServiceImplementation[string] {
  switch (endpoint.kind) {
    case "unary":
      return (call: Unary, callback: sendUnaryData<Bytes>) => {
        const scope = open(call, calls, endpoint);
        edge
          .unary(endpoint, arrivalOf(call, scope, endpoint, edge), () =>
            decodeRequest(endpoint.method, call.request),
          )
          .then(
            (response) => {
              scope.done();
              callback(null, encode(endpoint.method.output, response));
            },
            (error: unknown) => {
              const failure = edge.fail(error, endpoint, scope.signal);
              scope.done(failure);
              callback(statusOf(failure));
            },
          )
          .catch((error: unknown) => callback(statusOf(edge.fail(error, endpoint, scope.signal))));
      };
    case "server_streaming":
      return (call: Writable) => {
        const scope = open(call, calls, endpoint);
        const source = () => decodeRequest(endpoint.method, call.request);
        void send(
          call,
          endpoint,
          edge,
          scope,
          edge.serverStream(endpoint, arrivalOf(call, scope, endpoint, edge), source),
        );
      };
    case "bidi_streaming":
      return (call: Duplex) => {
        const scope = open(call, calls, endpoint);
        const requests = receive(call, scope.signal, endpoint);
        void send(
          call,
          endpoint,
          edge,
          scope,
          edge.bidi(endpoint, arrivalOf(call, scope, endpoint, edge), requests),
        );
      };
  }
}

function open(call: AnyCall, calls: Calls, endpoint: Endpoint): CallScope {
  const scope = calls.start(endpoint);
  // G2: grpc-js tells of a cancelled call, a lost connection and a deadline by the same event.
  // It tells of it at the end of each call, too.
  call.once("cancelled", () => scope.abort(() => whyCancelled(call)));
  return scope;
}

function whyCancelled(call: AnyCall): Fault {
  const deadline = call.getDeadline();
  return Number(deadline) <= Date.now()
    ? fault.deadline("DEADLINE_EXCEEDED", "the caller's deadline passed: allow more time, or ask for less")
    : fault.cancelled("CANCELLED", "the caller cancelled the call or its connection was lost");
}

function arrivalOf(call: AnyCall, scope: CallScope, { method }: Endpoint, edge: Edge): Arrival {
  const caller = () => edge.authenticate(method, call.metadata.get("authorization")[0]?.toString());
  const traceparent = call.metadata.get("traceparent")[0]?.toString();
  return { caller, signal: scope.signal, traceparent };
}

async function send(
  call: Writable | Duplex,
  endpoint: Endpoint,
  edge: Edge,
  scope: CallScope,
  responses: AsyncIterable<Message>,
): Promise<void> {
  try {
    for await (const response of responses) {
      scope.signal.throwIfAborted();
      if (!call.write(encode(endpoint.method.output, response))) await drained(call, scope.signal);
    }
    scope.done();
    call.end();
  } catch (error) {
    const failure = edge.fail(error, endpoint, scope.signal);
    scope.done(failure);
    // The way of grpc-js to end a stream with a status; behind what was written already.
    call.emit("error", statusOf(failure));
  }
}

/** G1: resolves when the buffer has room, rejects when the call is over. */
function drained(call: Writable | Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      call.off("drain", onDrain);
      signal.removeEventListener("abort", onAbort);
      then();
    };
    const onDrain = (): void => settle(resolve);
    const onAbort = (): void => settle(() => reject(signal.reason as Fault));
    call.once("drain", onDrain);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}

/** What the caller sends, one at a time: nothing more is read from the wire than the handler asks for. */
async function* receive(call: Duplex, signal: AbortSignal, endpoint: Endpoint) {
  try {
    // Not destroyed on return: a handler may stop reading and still have responses to send.
    for await (const bytes of call.iterator({ destroyOnReturn: false }))
      yield () => decodeRequest(endpoint.method, bytes as Bytes);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
