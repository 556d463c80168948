/** What a service is made of: typed handlers for each method of its descriptor, free of any transport. */
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Log } from "@greco/ports";
import type { Caller } from "./authority/caller.ts";

export type CallContext = {
  /** Aborts when the caller goes away, its deadline passes or the server is disposed by force. */
  readonly signal: AbortSignal;
  readonly caller: Caller;
  /** `greco.commit.v1.CommitService/MakeItSo`, as the audit log names it. */
  readonly method: string;
  readonly log: Log;
};

export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Promise<MessageInitShape<O>>;

/** The iteration is abandoned (`return()`) when the caller goes away; nothing is pulled before it can be sent. */
export type ServerStreamHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

/**
 * The end of the requests does not say that they were all: a caller in Node that cancels ends its side first, and the
 * reset that tells the difference comes later. What must be complete must say so in a message.
 */
export type BidiHandler<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

/** Greco has no client-streaming method; one would be a type error here. */
export type Handler<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<I, O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? ServerStreamHandler<I, O>
      : M extends DescMethodBiDiStreaming<infer I, infer O>
        ? BidiHandler<I, O>
        : never;

/** One handler for each method, by its name in lowerCamelCase. */
export type Handlers<S extends DescService> = { readonly [K in keyof S["method"]]: Handler<S["method"][K]> };

type Init = Record<string, unknown>;

/** A method with its handler; which of the three it is follows from `method.methodKind`. */
export type Endpoint =
  | {
      readonly kind: "unary";
      readonly method: DescMethod;
      readonly handler: (request: Message, context: CallContext) => Promise<Init>;
    }
  | {
      readonly kind: "server_streaming";
      readonly method: DescMethod;
      readonly handler: (request: Message, context: CallContext) => AsyncIterable<Init>;
    }
  | {
      readonly kind: "bidi_streaming";
      readonly method: DescMethod;
      readonly handler: (requests: AsyncIterable<Message>, context: CallContext) => AsyncIterable<Init>;
    };

export type ServiceImplementation = {
  readonly service: DescService;
  readonly endpoints: readonly Endpoint[];
};

/**
 * Ties handlers to a service. Throws when a method has no handler, which the types forbid already.
 *
 * `implement(RegistryService, { getModel: async (request, context) => …, … })`
 */
export function implement<S extends DescService>(service: S, handlers: Handlers<S>): ServiceImplementation {
  const byName = handlers as Readonly<Record<string, unknown>>;
  const endpoints = service.methods.map((method): Endpoint => {
    const handler = byName[method.localName];
    if (typeof handler !== "function") throw new TypeError(`${methodName(method)} has no handler`);
    if (method.methodKind === "client_streaming")
      throw new TypeError(`${methodName(method)} is client-streaming, which Greco does not use`);
    // `Handlers` has tied this handler's type to the method's kind; the compiler cannot follow it here, and `bind` gives `any`.
    return { kind: method.methodKind, method, handler: handler.bind(handlers) };
  });
  return { service, endpoints };
}

/** `greco.commit.v1.CommitService/MakeItSo` */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}
