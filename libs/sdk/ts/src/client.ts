/**
 * Typed clients over grpc-js, made from a service's descriptor.
 *
 * C1. Back-pressure both ways: requests are pulled only as fast as the server takes them, responses only as
 *     fast as they are iterated.
 * C2. Leaving an iteration, an abort of the signal and disposal of the connection all cancel the call.
 * C3. Only what the contract marks as a read is sent twice, and only when the service was UNAVAILABLE.
 */
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  type CallOptions as GrpcCallOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { connect, type Connection, type ConnectionOptions } from "./connection.ts";
import { createBackoff } from "./backoff.ts";
import { fromServiceError, GrecoError } from "./error.ts";
import { deadlineIn, isPast } from "./time.ts";
import { carryTrace, inClientSpan } from "./tracing.ts";

export type CallOptions = {
  readonly signal: AbortSignal;
  /** Of a unary call, in place of the connection's `deadlineMs`; of a stream, which has none otherwise. */
  readonly timeoutMs?: number;
};

export type UnaryCall<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  options: CallOptions,
) => Promise<MessageShape<O>>;

export type ServerStreamCall<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  options: CallOptions,
) => AsyncIterable<MessageShape<O>>;

export type BidiCall<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageInitShape<I>>,
  options: CallOptions,
) => AsyncIterable<MessageShape<O>>;

export type ClientMethod<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? UnaryCall<I, O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? ServerStreamCall<I, O>
      : M extends DescMethodBiDiStreaming<infer I, infer O>
        ? BidiCall<I, O>
        : never;

/** `Client<typeof RegistryService>` */
export type Client<S extends DescService> = {
  readonly [K in keyof S["method"]]: ClientMethod<S["method"][K]>;
};

/** A client on a connection of its own, closed with it. */
export function createClient<S extends DescService>(
  service: S,
  options: ConnectionOptions & { readonly address: string },
): Client<S> & AsyncDisposable {
  const connection = connect(options.address, options);
  return Object.assign(clientOn(connection, service), {
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  });
}

/** A client on a connection that others share and the caller owns. */
export function clientOn<S extends DescService>(connection: Connection, service: S): Client<S> {
  const client: Record<string, unknown> = {};
  for (const method of service.methods) client[method.localName] = clientMethod(connection, method);
  // Each property was made from the method that its type is made from.
  return client as Client<S>;
}

function clientMethod(connection: Connection, method: DescMethod): unknown {
  switch (method.methodKind) {
    case "unary":
      return (request: Init, options: CallOptions) => callUnary(connection, method, request, options);
    case "server_streaming":
      return (request: Init, options: CallOptions) => callServerStream(connection, method, request, options);
    case "bidi_streaming":
      return (requests: AsyncIterable<Init>, options: CallOptions) =>
        callBidi(connection, method, requests, options);
    case "client_streaming":
      throw new TypeError(`${method.name} is client-streaming, which Greco does not use`);
  }
}

type Init = Record<string, unknown>;

type Codec = {
  readonly path: string;
  readonly serialize: (value: Init) => Buffer;
  readonly deserialize: (bytes: Buffer) => Message;
};

const codecs = new WeakMap<DescMethod, Codec>();

function codecOf(method: DescMethod): Codec {
  let codec = codecs.get(method);
  if (codec === undefined) {
    codec = {
      path: `/${method.parent.typeName}/${method.name}`,
      serialize(value) {
        const bytes = toBinary(method.input, create(method.input, value));
        return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      },
      deserialize: (bytes) => fromBinary(method.output, bytes),
    };
    codecs.set(method, codec);
  }
  return codec;
}

async function metadataOf(connection: Connection): Promise<Metadata> {
  const metadata = new Metadata();
  const token = await connection.token();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  carryTrace(metadata);
  return metadata;
}

async function callUnary(
  connection: Connection,
  method: DescMethod,
  request: Init,
  { signal, timeoutMs = connection.deadlineMs }: CallOptions,
): Promise<Message> {
  signal.throwIfAborted();
  return await inClientSpan(method, () =>
    sendWithRepeats(connection, method, request, { signal, timeoutMs }),
  );
}

async function sendWithRepeats(
  connection: Connection,
  method: DescMethod,
  request: Init,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number | undefined },
): Promise<Message> {
  const deadline = timeoutMs === undefined ? undefined : deadlineIn(timeoutMs);
  const backoff = createBackoff(connection.reads);
  const attemptsMax = isRead(method) ? connection.reads.attempts : 1;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await sendUnary(connection, method, request, deadline, signal);
    } catch (error) {
      // C3
      const repeatable = error instanceof GrecoError && error.code === "UNAVAILABLE";
      if (!repeatable || attempt >= attemptsMax || connection.closed.aborted) throw error;
      await backoff.wait(error, signal);
      if (deadline !== undefined && isPast(deadline)) throw error;
    }
  }
}

function isRead({ idempotency }: DescMethod): boolean {
  return idempotency === IdempotencyLevel.NO_SIDE_EFFECTS;
}

async function sendUnary(
  connection: Connection,
  method: DescMethod,
  request: Init,
  deadline: Date | undefined,
  signal: AbortSignal,
): Promise<Message> {
  const { path, serialize, deserialize } = codecOf(method);
  const metadata = await metadataOf(connection);
  signal.throwIfAborted();
  refuseClosed(connection);
  return await new Promise((resolve, reject) => {
    const call = connection.grpc.makeUnaryRequest(
      path,
      serialize,
      deserialize,
      request,
      metadata,
      deadline === undefined ? {} : { deadline },
      (error, response) => {
        stop();
        if (error === null && response !== undefined) resolve(response);
        else reject(failure(error, signal, connection, method));
      },
    );
    const stop = cancelOn(call, signal, connection.closed);
  });
}

/** C2: returns what ends the watch over the signals. */
function cancelOn(call: { cancel(): void }, ...signals: readonly AbortSignal[]): () => void {
  const cancel = (): void => call.cancel();
  for (const signal of signals) signal.addEventListener("abort", cancel);
  return () => {
    for (const signal of signals) signal.removeEventListener("abort", cancel);
  };
}

/** An aborted wait rejects with the signal's reason, everything else with a GrecoError. */
function failure(error: unknown, signal: AbortSignal, connection: Connection, { parent }: DescMethod): Error {
  if (signal.aborted) return signal.reason as Error;
  if (connection.closed.aborted) return connectionClosed(connection);
  if (isServiceError(error)) return fromServiceError(error, { address: connection.address, service: parent });
  return error instanceof Error ? error : new Error(String(error));
}

function refuseClosed(connection: Connection): void {
  if (connection.closed.aborted) throw connectionClosed(connection);
}

function connectionClosed({ address }: Connection): GrecoError {
  return new GrecoError({
    code: "CANCELLED",
    reason: "CONNECTION_CLOSED",
    message: `the connection to ${address} was closed by this program: call on an open one`,
    violations: [],
    preconditions: [],
    metadata: {},
    retryAfterMs: undefined,
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}

async function* callServerStream(
  connection: Connection,
  method: DescMethod,
  request: Init,
  options: CallOptions,
): AsyncGenerator<Message, void> {
  const { path, serialize, deserialize } = codecOf(method);
  const [metadata, callOptions] = await openStream(connection, options);
  const call = connection.grpc.makeServerStreamRequest(
    path,
    serialize,
    deserialize,
    request,
    metadata,
    callOptions,
  );
  yield* responsesOf(call, options.signal, connection, method);
}

async function openStream(
  connection: Connection,
  { signal, timeoutMs }: CallOptions,
): Promise<[Metadata, GrpcCallOptions]> {
  signal.throwIfAborted();
  const metadata = await metadataOf(connection);
  signal.throwIfAborted();
  refuseClosed(connection);
  return [metadata, timeoutMs === undefined ? {} : { deadline: deadlineIn(timeoutMs) }];
}

type Responses = Pick<ClientReadableStream<Message>, "cancel" | "iterator"> & NodeJS.EventEmitter;

async function* responsesOf(
  call: Responses,
  signal: AbortSignal,
  connection: Connection,
  method: DescMethod,
): AsyncGenerator<Message, void> {
  const stop = cancelOn(call, signal, connection.closed);
  // The iteration reports the error; one that comes after it was left has nobody to tell.
  call.on("error", ignore);
  try {
    for await (const message of call.iterator({ destroyOnReturn: false })) yield message as Message;
    signal.throwIfAborted();
  } catch (error) {
    throw failure(error, signal, connection, method);
  } finally {
    stop();
    // C2: harmless when the call is over.
    call.cancel();
  }
}

function ignore(): void {}

async function* callBidi(
  connection: Connection,
  method: DescMethod,
  requests: AsyncIterable<Init>,
  options: CallOptions,
): AsyncGenerator<Message, void> {
  const { path, serialize, deserialize } = codecOf(method);
  const [metadata, callOptions] = await openStream(connection, options);
  const call = connection.grpc.makeBidiStreamRequest(path, serialize, deserialize, metadata, callOptions);
  const over = new AbortController();
  let requestsFailure: { readonly error: unknown } | undefined;
  const sending = sendAll(call, requests, over.signal).catch((error: unknown) => {
    if (over.signal.aborted) return;
    requestsFailure = { error };
    call.cancel();
  });
  try {
    yield* responsesOf(call, options.signal, connection, method);
  } catch (error) {
    // What the requests failed with is the cause of the cancellation that the responses tell of.
    throw requestsFailure === undefined ? error : requestsFailure.error;
  } finally {
    over.abort();
    void sending;
  }
}

/** C1: pulls the next request when the last one was taken. */
async function sendAll(
  call: ClientDuplexStream<Init, Message>,
  requests: AsyncIterable<Init>,
  over: AbortSignal,
): Promise<void> {
  for await (const request of requests) {
    if (over.aborted) return;
    if (!call.write(request)) await drained(call, over);
  }
  call.end();
}

function drained(call: ClientDuplexStream<Init, Message>, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      call.off("drain", settle);
      call.off("close", settle);
      over.removeEventListener("abort", settle);
      resolve();
    };
    call.on("drain", settle);
    call.on("close", settle);
    over.addEventListener("abort", settle);
    if (over.aborted) settle();
  });
}
