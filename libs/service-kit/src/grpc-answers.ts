/**
 * What grpc-js answers by itself (a message too large, a deadline, a method that nobody serves), said as our
 * other errors are: with exactly one ErrorInfo and what to do (F1, I15).
 *
 * grpc-js sends these below its interceptors, and unknown methods never reach one; so the call's own `sendStatus`
 * is wrapped, and the look-up of methods falls back to a handler that explains. grpc-js is pinned, and the specs
 * fail when an update changes this.
 */
import type {
  Server as GrpcServer,
  ServerDuplexStream,
  ServerInterceptingCall,
  ServerInterceptor,
} from "@grpc/grpc-js";
import { Code } from "@greco/contracts/google/rpc/code";
import { Fault, fault } from "./fault.ts";
import { statusOf, STATUS_DETAILS_KEY } from "./fault-status.ts";
import type { ServerLimits } from "./limits.ts";
import { nearest } from "./nearest.ts";

type PartialStatusObject = Parameters<ServerInterceptingCall["sendStatus"]>[0];

export function explainOwnAnswers(limits: ServerLimits): ServerInterceptor {
  return (_method, call) => {
    const send = call.sendStatus.bind(call);
    call.sendStatus = (status) => send(explained(status, limits));
    // The call itself: an interceptor's wrapper would cost each call, and stand above what grpc-js sends below it.
    return call as ServerInterceptingCall;
  };
}

function explained(status: PartialStatusObject, limits: ServerLimits): PartialStatusObject {
  if (status.code === Code.OK || (status.metadata?.get(STATUS_DETAILS_KEY).length ?? 0) > 0) return status;
  const known = answers.find(({ test }) => test.test(status.details ?? ""));
  const given = known?.fault(status, limits) ?? new Fault("internal", "TRANSPORT", status.details ?? "");
  const ours = statusOf(given);
  return known === undefined ? { ...ours, code: status.code } : ours;
}

type Answer = {
  readonly test: RegExp;
  readonly fault: (status: PartialStatusObject, limits: ServerLimits) => Fault;
};

const answers: readonly Answer[] = [
  {
    test: /^Received message .*larger than/,
    fault: (_status, { messageBytesMax }) =>
      fault.exhausted(
        "MESSAGE_TOO_LARGE",
        `the message is larger than ${messageBytesMax} bytes: split it into several calls or messages`,
        undefined,
      ),
  },
  {
    test: /^Sent message larger than/,
    fault: (_status, { messageBytesMax }) =>
      fault.exhausted(
        "RESPONSE_TOO_LARGE",
        `the response would be larger than ${messageBytesMax} bytes: ask for a smaller page`,
        undefined,
      ),
  },
  {
    test: /^Deadline exceeded/,
    fault: () =>
      fault.deadline("DEADLINE_EXCEEDED", "the caller's deadline passed: allow more time, or ask for less"),
  },
  {
    test: /^Invalid grpc-timeout/,
    fault: ({ details }) => fault.invalid("MALFORMED_CALL", `${details}: send digits and a unit, as 5S`),
  },
  {
    test: /^Failed to decompress/,
    fault: () =>
      fault.invalid("MALFORMED_REQUEST", "the message does not decompress: send what its encoding says"),
  },
  {
    test: /^Received (a second|no) request message/,
    fault: ({ details }) => fault.invalid("MALFORMED_CALL", `${details}: send exactly one`),
  },
  {
    test: /unsupported encoding/,
    fault: ({ details }) =>
      fault.unimplemented("UNSUPPORTED_ENCODING", `${details}: send identity, gzip or deflate`),
  },
];

/** grpc-js's look-up of a method by its path, which it has not made public. */
type LookUp = { _retrieveHandler(path: string): unknown };

/** An unknown method is answered UNIMPLEMENTED with what is served and the nearest name. */
export function explainUnknownMethods(grpc: GrpcServer, paths: readonly string[]): void {
  const lookUp = grpc as unknown as LookUp;
  const original = lookUp._retrieveHandler.bind(grpc);
  lookUp._retrieveHandler = (path) => original(path) ?? unknownMethod(path, paths);
}

function unknownMethod(path: string, paths: readonly string[]) {
  return {
    // The one type that answers without waiting for a request.
    type: "bidi",
    path,
    serialize: (bytes: Buffer) => bytes,
    deserialize: (bytes: Buffer) => bytes,
    func: (call: ServerDuplexStream<Buffer, Buffer>) =>
      call.emit("error", statusOf(unknownMethodFault(path, paths))),
  };
}

const SHOWN_MAX = 200;

export function unknownMethodFault(path: string, paths: readonly string[]): Fault {
  const given = path.slice(0, SHOWN_MAX);
  const meant = nearest(given, paths);
  const services = [...new Set(paths.map((each) => each.split("/")[1]))].join(", ");
  const hint = meant === undefined ? `this port serves ${services}` : `did you mean ${meant}?`;
  return fault.unimplemented("UNKNOWN_METHOD", `no method ${given}: ${hint}`);
}
