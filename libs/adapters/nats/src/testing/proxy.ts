/** A TCP proxy whose connections a test cuts, or lets stand without a word passing. For tests only. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export type Proxy = AsyncDisposable & {
  readonly address: string;
  cut(): void;
  freeze(): void;
  /** What stood is cut: who waited for it has lost bytes. */
  thaw(): void;
};

export async function startProxy(target: string): Promise<Proxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  let frozen = false;

  const hold = (socket: Socket): Socket => {
    sockets.add(socket);
    // One end's error is the other end's close.
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };
  const forward = (from: Socket, to: Socket): void => {
    from.on("data", (data) => {
      if (!frozen) to.write(data);
    });
    from.once("close", () => {
      if (!frozen) to.destroy();
    });
  };
  const server = createServer((client) => {
    hold(client);
    if (frozen) return;
    const upstream = hold(connect(Number(port), host));
    forward(client, upstream);
    forward(upstream, client);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    freeze: () => (frozen = true),
    thaw() {
      frozen = false;
      cut();
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}
