import { EventEmitter, once } from "node:events";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@greco/contracts/grpc/health/v1/health";
import { expect, it } from "vitest";
import { systemClock } from "./clock.ts";
import { config } from "./config-kinds.ts";
import { createLog } from "./log.ts";
import { runService, type ServiceParts } from "./run-service.ts";
import { serve } from "./serve.ts";
import { implementPartly, rawCall, trustingAuthority } from "./testing/index.ts";

const settings = {
  listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 0 } }),
  leaseMs: config.integer("a lease, ms", { min: 1, max: 9 }, { default: 5 }),
  tokenFile: config.secretFile("the token"),
  etcd: { ...config.optional(config.list("etcd's nodes")), unused: true as const },
};
const service = { name: "test", about: "is tested", settings, services: [CommitService] };

function run(
  argv: readonly string[],
  start: (parts: ServiceParts<typeof settings>, signal: AbortSignal) => Promise<void>,
) {
  const emitter = new EventEmitter();
  const lines: Record<string, unknown>[] = [];
  const news = new EventEmitter();
  let printed = "";
  const codes: number[] = [];
  const ended = runService(service, start, {
    argv,
    env: {},
    clock: systemClock,
    host: {
      on: (signal, listener) => void emitter.on(signal, listener),
      off: (signal, listener) => void emitter.off(signal, listener),
      exit: (code) => void codes.push(code),
    },
    print: (text) => (printed += text),
    log: createLog({
      service: "test",
      write(line) {
        const entry = JSON.parse(line) as Record<string, unknown>;
        lines.push(entry);
        news.emit(String(entry["event"]), entry);
      },
    }),
  });
  const heard = async (event: string) => {
    const before = lines.find((line) => line["event"] === event);
    return before ?? ((await once(news, event)) as Record<string, unknown>[])[0] ?? {};
  };
  return { ended, heard, lines, codes, printed: () => printed, stop: () => emitter.emit("SIGTERM") };
}

const healthAt = (address: string) =>
  createClient(Health, createGrpcTransport({ baseUrl: `http://${address}` }));

it("prints each setting with its environment name and default, and starts nothing", async () => {
  const { ended, printed, codes } = run(["--lease-ms", "x", "--help"], () =>
    Promise.reject(new Error("started")),
  );
  await ended;
  expect(printed()).toContain("greco test: is tested");
  expect(printed()).toMatch(/--lease-ms N +GRECO_LEASE_MS +a lease, ms \(default 5\)/);
  expect(printed()).toMatch(/--token-file FILE +GRECO_TOKEN_FILE +the token \(required\)/);
  expect(printed()).toMatch(/--listen HOST:PORT +GRECO_LISTEN .*\(default 127.0.0.1:0\)/);
  expect(printed()).toMatch(/--log-level debug\|info\|warn\|error +GRECO_LOG_LEVEL/);
  expect(printed()).not.toContain("etcd");
  expect(codes).toEqual([]);
});

it("prints its version", async () => {
  const { ended, printed } = run(["--version"], () => Promise.reject(new Error("started")));
  await ended;
  expect(printed()).toBe(`greco test 0.0.0, Node ${process.version}\n`);
});

it("says NOT_SERVING at its own address while it waits for a dependency, and UNAVAILABLE to callers", async () => {
  let up = false;
  const { ended, heard, codes, stop } = run(["--token-file=/t"], async (parts, signal) => {
    await parts.waitFor("etcd", () => (up ? Promise.resolve() : Promise.reject(new Error("refused"))));
    const services = [implementPartly(CommitService, {})];
    const { given, log, readiness } = parts;
    const options = { services, listen: given.listen, authority: trustingAuthority(), log, readiness };
    const server = parts.stack.use(await serve(options, signal));
    log.info("test.started", { address: server.address });
  });
  const waiting = (await heard("process.waiting"))["health"] as string;
  for (const name of ["", CommitService.typeName])
    expect((await healthAt(waiting).check({ service: name })).status).toBe(Status.NOT_SERVING);
  const path = "/greco.commit.v1.CommitService/GetProposal";
  const answer = await rawCall({ address: waiting, path, bytes: new Uint8Array() });
  expect([answer.code, answer.infos[0]?.reason]).toEqual(["UNAVAILABLE", "SERVICE_WAITING"]);
  up = true;
  const address = (await heard("test.started"))["address"] as string;
  expect((await healthAt(address).check({})).status).toBe(Status.SERVING);
  await expect(healthAt(waiting).check({})).rejects.toThrow();
  stop();
  await ended;
  expect(codes).toEqual([0]);
});

it("takes its own address though what it had goes down again while it starts", async () => {
  const taken = await serve(
    {
      services: [],
      listen: { host: "127.0.0.1", port: 0 },
      authority: trustingAuthority(),
      log: createLog({ service: "test", level: "silent" }),
    },
    new AbortController().signal,
  );
  const { address } = taken;
  await taken[Symbol.asyncDispose]();
  let up = false;
  const { ended, heard, codes, stop } = run(
    ["--token-file=/t", `--listen=${address}`],
    async (parts, signal) => {
      await parts.waitFor("etcd", () => Promise.resolve());
      parts.readiness.set("etcd", false);
      await parts.waitFor("cassandra", () => (up ? Promise.resolve() : Promise.reject(new Error("refused"))));
      const { given, log, readiness } = parts;
      const options = { listen: given.listen, authority: trustingAuthority(), log, readiness };
      const services = [implementPartly(CommitService, {})];
      const server = parts.stack.use(await serve({ services, ...options }, signal));
      log.info("test.started", { address: server.address });
    },
  );
  expect((await heard("process.waiting"))["health"]).toBe(address);
  up = true;
  expect((await heard("test.started"))["address"]).toBe(address);
  expect((await healthAt(address).check({ service: CommitService.typeName })).status).toBe(
    Status.NOT_SERVING,
  );
  stop();
  await ended;
  expect(codes).toEqual([0]);
});

it("follows a dependency that goes and comes with its health", async () => {
  const parts = Promise.withResolvers<ServiceParts<typeof settings>>();
  const { ended, heard, stop } = run(["--token-file=/t"], async (given, signal) => {
    const { log, readiness, stack } = given;
    const options = { listen: given.given.listen, authority: trustingAuthority(), log, readiness };
    const server = stack.use(
      await serve({ services: [implementPartly(CommitService, {})], ...options }, signal),
    );
    log.info("test.started", { address: server.address });
    parts.resolve(given);
  });
  const { readiness } = await parts.promise;
  const health = healthAt((await heard("test.started"))["address"] as string);
  readiness.set("etcd", false);
  expect((await health.check({ service: CommitService.typeName })).status).toBe(Status.NOT_SERVING);
  readiness.set("etcd", true);
  expect((await health.check({})).status).toBe(Status.SERVING);
  stop();
  await ended;
});

it("ends while it waits, when it is told to stop", async () => {
  const { ended, heard, codes, stop } = run(["--token-file=/t"], ({ waitFor }) =>
    waitFor("etcd", () => Promise.reject(new Error("refused"))),
  );
  await heard("process.waiting");
  stop();
  await ended;
  expect(codes).toEqual([0]);
});
