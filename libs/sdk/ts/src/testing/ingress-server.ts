/** An ingress of which a test says what each method does, on a loopback port, and a client to it. */
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { createLog, serve, type Handlers, type Server } from "@greco/service-kit";
import { implementPartly, trustingAuthority } from "@greco/service-kit/testing";
import { createClient, type Client } from "../client.ts";
import type { ConnectionOptions } from "../connection.ts";

export type IngressHandlers = Partial<Handlers<typeof IngressService>>;

export const never = new AbortController().signal;

export function serveIngress(handlers: IngressHandlers, port = 0): Promise<Server> {
  return serve(
    {
      services: [implementPartly(IngressService, handlers)],
      listen: { host: "127.0.0.1", port },
      authority: trustingAuthority(),
      log: createLog({ service: "test", level: "silent" }),
      limits: { streamDrainMs: 20 },
    },
    never,
  );
}

export async function open(handlers: IngressHandlers, options: ConnectionOptions = {}) {
  const server = await serveIngress(handlers);
  const client: Client<typeof IngressService> & AsyncDisposable = createClient(IngressService, {
    address: server.address,
    token: "ada",
    ...options,
  });
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
