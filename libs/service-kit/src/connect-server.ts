/**
 * The second port: Connect and gRPC-Web over HTTP/1.1, for browsers.
 *
 * N2. A page of another origin is let in only when that origin is listed.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { cors } from "@connectrpc/connect";
import type { Calls } from "./calls.ts";
import { answerUnknownPath, connectHandler } from "./connect.ts";
import type { Edge } from "./edge.ts";
import { unknownMethodFault } from "./grpc-answers.ts";
import type { ServiceImplementation } from "./handlers.ts";
import type { ServerLimits } from "./limits.ts";
import { cannotListen, hostPort, type Listen } from "./listen.ts";

export type ConnectListen = Listen & {
  /** Origins of pages that may call (`https://console.example`), or `*` for any. Default: none. */
  readonly origins?: readonly string[];
  /** Which methods are served here; default: all. */
  readonly methods?: (method: DescMethod) => boolean;
};

export type ConnectServer = {
  readonly port: number;
  /** Takes no new connections; resolves when the last one is closed. */
  close(): Promise<void>;
  forceClose(): void;
};

export async function serveConnect(
  services: readonly ServiceImplementation[],
  listen: ConnectListen,
  edge: Edge,
  calls: Calls,
  limits: ServerLimits,
): Promise<ConnectServer> {
  const endpoints = services
    .flatMap((each) => each.endpoints)
    .filter(({ method }) => listen.methods?.(method) ?? true);
  const paths = endpoints.map(({ method }) => `/${method.parent.typeName}/${method.name}`);
  const handler = connectHandler(endpoints, edge, calls, limits, (request, response) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    answerUnknownPath(unknownMethodFault(path, paths), request, response);
  });
  const server = createServer((request, response) => {
    if (!answerCors(request, response, listen.origins ?? [])) handler(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(listen, error)));
    server.listen(listen.port, listen.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      return closed;
    },
    forceClose: () => server.closeAllConnections(),
  };
}

const PREFLIGHT_AGE_S = 7_200;

/** N2. True: this was a preflight, and it is answered. */
function answerCors(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): boolean {
  const { origin } = request.headers;
  const preflight = request.method === "OPTIONS" && "access-control-request-method" in request.headers;
  if (origins.length > 0) response.setHeader("vary", "origin");
  const allowed = origin !== undefined && (origins.includes(origin) || origins.includes("*"));
  if (allowed) {
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", cors.exposedHeaders.join(", "));
  }
  if (!preflight) return false;
  request.resume();
  if (allowed) {
    response.setHeader("access-control-allow-methods", cors.allowedMethods.join(", "));
    response.setHeader("access-control-allow-headers", ["authorization", ...cors.allowedHeaders].join(", "));
    response.setHeader("access-control-max-age", PREFLIGHT_AGE_S);
  }
  response.writeHead(allowed ? 204 : 403);
  response.end();
  return true;
}

export function connectAddress(listen: Listen, port: number): string {
  return `http://${hostPort(listen.host, port)}`;
}
