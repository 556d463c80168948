/**
 * A door of the control plane on the wire: an HTTP/2 proxy that writes down each call with its caller, before it is let
 * through. It knows nothing of gRPC but that calls are streams with trailers.
 */
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";

export type Call = {
  readonly door: string;
  /** The token's subject; `nobody`: there was none. */
  readonly caller: string;
  /** `/greco.commit.v1.CommitService/MakeItSo` */
  readonly path: string;
};

export interface Door extends AsyncDisposable {
  readonly address: string;
  /** Where calls go; undefined: nobody is there, and connections break. */
  target: string | undefined;
}

export async function openDoor(name: string, calls: Call[]): Promise<Door> {
  const server = createServer();
  const sockets = new Set<Socket>();
  let target: string | undefined;
  let inner: ClientHttp2Session | undefined;
  const toTarget = (): ClientHttp2Session => {
    if (inner === undefined || inner.closed || inner.destroyed) {
      inner = connect(`http://${target}`);
      // Each of its calls hears of it.
      inner.on("error", () => undefined);
    }
    return inner;
  };
  server.on("connection", (socket: Socket) => {
    if (target === undefined) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("sessionError", () => undefined);
  server.on("stream", (stream, headers) => {
    calls.push({ door: name, caller: subjectOf(headers), path: headers[":path"] ?? "" });
    pass(stream, headers, toTarget());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    inner?.destroy();
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get target() {
      return target;
    },
    set target(next) {
      target = next;
      close();
    },
    async [Symbol.asyncDispose]() {
      target = undefined;
      close();
      server.close();
      await once(server, "close");
    },
  };
}

function pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, session: ClientHttp2Session): void {
  const cancel = (): void => void (stream.closed || stream.close(constants.NGHTTP2_CANCEL));
  stream.on("error", () => undefined);
  const onward = session.request(headers);
  onward.on("error", cancel);
  let trailers: IncomingHttpHeaders = {};
  onward.on("response", (answer, flags) => {
    if (stream.closed || stream.destroyed) return;
    // An answer of trailers alone.
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond(answer, endStream ? { endStream } : { waitForTrailers: true });
    if (!endStream) onward.pipe(stream);
  });
  onward.on("trailers", (all: IncomingHttpHeaders) => (trailers = all));
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.pipe(onward);
  stream.on("close", () => {
    if (!onward.closed) onward.close(constants.NGHTTP2_CANCEL);
  });
  onward.on("close", () => {
    if (onward.rstCode !== constants.NGHTTP2_NO_ERROR) cancel();
  });
}

function subjectOf({ authorization }: IncomingHttpHeaders): string {
  const [, claims = ""] = authorization?.split(".") ?? [];
  if (claims === "") return "nobody";
  return (JSON.parse(Buffer.from(claims, "base64url").toString()) as { readonly sub: string }).sub;
}
