/** `GET /metrics` for Prometheus, on a port of its own: it is the operators', not the callers'. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cannotListen, hostPort, type Listen } from "./listen.ts";
import type { MetricsRegistry } from "./metrics.ts";

/** `http://127.0.0.1:9464/metrics` */
export type MetricsServer = AsyncDisposable & { readonly address: string };

export async function serveMetrics(metrics: MetricsRegistry, listen: Listen): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics") {
      response.writeHead(404, { "content-type": "text/plain" }).end("metrics are at /metrics\n");
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(listen, error)));
    server.listen(listen.port, listen.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://${hostPort(listen.host, port)}/metrics`,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
