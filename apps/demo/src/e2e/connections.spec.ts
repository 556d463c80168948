import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { addressOf, calledBy, ConnectionWatch } from "./connections.ts";

it("reads addresses as the system writes them", () => {
  expect(addressOf("0100007F:1F90")).toBe("127.0.0.1:8080");
  expect(addressOf("0000000000000000FFFF00000100007F:0050")).toBe("127.0.0.1:80");
  expect(addressOf("B80D0120000000000000000001000000:0050")).toBe("[20010db8000000000000000000000001]:80");
});

it("sees whom a process calls, and not by whom it is called", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await using watch = new ConnectionWatch();
  watch.watch("test", process.pid);
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const own = `127.0.0.1:${socket.localPort}`;
  const called = await calledBy(process.pid);
  expect(called).toContain(`127.0.0.1:${port}`);
  expect(called).not.toContain(own);
  await expect.poll(() => watch.called("test")).toContain(`127.0.0.1:${port}`);
  socket.destroy();
  server.close();
  await once(server, "close");
  expect(await calledBy(process.pid)).not.toContain(`127.0.0.1:${port}`);
  expect(watch.called("test")).toContain(`127.0.0.1:${port}`);
});
