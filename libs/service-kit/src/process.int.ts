import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngressService, PublishRequestSchema } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@greco/contracts/grpc/health/v1/health";
import { expect, it, vi } from "vitest";
import { rawCall } from "./testing/index.ts";

async function startChild(env: Record<string, string> = {}, drainMs = 10_000) {
  const main = join(import.meta.dirname, "testing", "child-service.ts");
  const child = spawn(process.execPath, [main, String(drainMs)], { env: { ...process.env, ...env } });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, "exit") as Promise<[code: number | null, signal: string | null]>;
  const output = createInterface(child.stdout);
  const [address] = (await once(output, "line")) as [string];
  const publish = (stream: string) => {
    const request = create(PublishRequestSchema, { stream: `models/m/streams/${stream}`, message: {} });
    const path = "/greco.dataplane.v1.IngressService/Publish";
    return rawCall({ address, path, bytes: toBinary(PublishRequestSchema, request) });
  };
  /** A call under way: the child has it, and keeps it until `release`. */
  const hold = async () => {
    const answer = publish("held");
    await once(output, "line");
    return { answer, release: () => child.stdin.write("go\n") };
  };
  return { child, address, exited, publish, hold, stderr: () => stderr };
}

it("stops as told, with 0", async () => {
  const { child, exited, publish, stderr } = await startChild();
  expect((await publish("s")).code).toBe("OK");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(stderr()).toContain("process.stopping");
});

it("says NOT_SERVING, refuses new calls, lets the one under way finish, then ends with 0", async () => {
  const { child, address, exited, publish, hold } = await startChild();
  const health = createClient(Health, createGrpcTransport({ baseUrl: `http://${address}` }));
  const { answer, release } = await hold();
  const seen: Status[] = [];
  const watching = (async () => {
    for await (const { status } of health.watch({ service: IngressService.typeName })) {
      seen.push(status);
      if (seen.length === 1) child.kill("SIGTERM");
    }
  })().catch(() => undefined);
  await vi.waitFor(() => expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING]));
  await vi.waitFor(async () => expect((await publish("s")).code).toBe("UNAVAILABLE"));
  expect(child.exitCode).toBeNull();
  release();
  expect((await answer).code).toBe("OK");
  expect(await exited).toEqual([0, null]);
  await watching;
});

it("ends a call that outlasts the deadline, saying so to its caller, and stops", async () => {
  const { child, exited, hold } = await startChild({}, 300);
  const { answer } = await hold();
  child.kill("SIGTERM");
  expect(await answer).toMatchObject({ code: "UNAVAILABLE" });
  expect(await exited).toEqual([0, null]);
});

it("dies at an armed failpoint as by kill -9, at the hit that was named", async () => {
  const { exited, publish, stderr } = await startChild({ GRECO_FAILPOINT: "lane.append.before:kill:2" });
  expect((await publish("s")).code).toBe("OK");
  expect((await publish("s")).code).not.toBe("OK");
  expect(await exited).toEqual([null, "SIGKILL"]);
  expect(stderr()).toContain("failpoint lane.append.before: kill");
});

it("ends on a broken invariant, saying which", async () => {
  const { exited, publish, stderr } = await startChild();
  await publish("broken");
  const [code] = await exited;
  expect(code).not.toBe(0);
  expect(stderr()).toContain("InvariantError: I7: epochs in a lane only grow");
});
