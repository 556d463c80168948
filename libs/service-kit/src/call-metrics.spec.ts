import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { expect, it } from "vitest";
import { fault } from "./fault.ts";
import { createLog } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { serve } from "./serve.ts";
import { implementPartly, rawCall, trustingAuthority } from "./testing/index.ts";

it("counts and times what a server answers, by method and code, over both ports", async () => {
  const log = createLog({ service: "test", level: "silent" });
  const metrics = createMetrics(log);
  const ingress = implementPartly(IngressService, {
    listStreams: ({ parent }) =>
      parent === "models/m"
        ? Promise.resolve({})
        : Promise.reject(fault.notFound("UNKNOWN_MODEL", parent, "no such model")),
  });
  const local = { host: "127.0.0.1", port: 0 };
  await using server = await serve(
    { services: [ingress], listen: local, connect: local, authority: trustingAuthority(), log, metrics },
    new AbortController().signal,
  );
  const path = "/greco.dataplane.v1.IngressService/ListStreams";
  const bytes = (parent: string) => new Uint8Array([10, parent.length, ...Buffer.from(parent)]);
  for (const parent of ["models/m", "models/m", "models/x"])
    await rawCall({ address: server.address, path, bytes: bytes(parent) });
  const headers = { "content-type": "application/json" };
  await fetch(`${server.connectAddress}${path}`, { method: "POST", headers, body: '{"parent": "models/x"}' });
  const text = await metrics.text();
  const method = `method="greco.dataplane.v1.IngressService/ListStreams"`;
  expect(text).toContain(`greco_server_calls_total{${method},code="OK"} 2\n`);
  expect(text).toContain(`greco_server_calls_total{${method},code="NOT_FOUND"} 2\n`);
  expect(text).toContain(`greco_server_call_seconds_count{${method},code="OK"} 2\n`);
});
