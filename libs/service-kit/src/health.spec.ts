import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@greco/contracts/grpc/health/v1/health";
import { expect, it } from "vitest";
import { systemClock } from "./clock.ts";
import { createLog } from "./log.ts";
import { serve } from "./serve.ts";
import { implementPartly, trustingAuthority } from "./testing/index.ts";

async function open() {
  const server = await serve(
    {
      services: [implementPartly(CommitService, {}), implementPartly(ConductorService, {})],
      listen: { host: "127.0.0.1", port: 0 },
      authority: trustingAuthority(),
      log: createLog({ service: "test", level: "silent" }),
      clock: systemClock,
      limits: { streamDrainMs: 20 },
    },
    new AbortController().signal,
  );
  const health = createClient(Health, createGrpcTransport({ baseUrl: `http://${server.address}` }));
  return { server, health, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const commit = CommitService.typeName;
const conductor = ConductorService.typeName;

it("tells the status of the server and of each service, without a token", async () => {
  await using it = await open();
  expect((await it.health.check({})).status).toBe(Status.SERVING);
  it.server.setServing(false, commit);
  expect((await it.health.check({ service: commit })).status).toBe(Status.NOT_SERVING);
  expect((await it.health.check({ service: conductor })).status).toBe(Status.SERVING);
  await expect(it.health.check({ service: "greco.Other" })).rejects.toThrow(
    `there are ${commit}, ${conductor}`,
  );
  const { statuses } = await it.health.list({});
  expect(Object.keys(statuses).toSorted()).toEqual(["", commit, conductor].toSorted());
});

it("lets the status be watched, up to the server's end", async () => {
  const opened = await open();
  const seen: Status[] = [];
  const watching = (async () => {
    for await (const { status } of opened.health.watch({ service: commit })) {
      seen.push(status);
      if (seen.length === 1) opened.server.setServing(false);
      if (seen.length === 2) opened.server.setServing(true);
      if (seen.length === 3) void opened[Symbol.asyncDispose]();
    }
  })();
  await expect(watching).rejects.toThrow("this instance stops");
  expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING]);
});

it("tells a watcher of a service that is not there", async () => {
  await using it = await open();
  for await (const { status } of it.health.watch({ service: "greco.Other" })) {
    expect(status).toBe(Status.SERVICE_UNKNOWN);
    break;
  }
});
