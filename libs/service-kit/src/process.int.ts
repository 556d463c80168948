import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { create, toBinary } from "@bufbuild/protobuf";
import { PublishRequestSchema } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { expect, it } from "vitest";
import { rawCall } from "./testing/index.ts";

async function startChild(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "testing", "child-service.ts")], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, "exit") as Promise<[code: number | null, signal: string | null]>;
  const [address] = (await once(createInterface(child.stdout), "line")) as [string];
  const publish = (stream: string) => {
    const request = create(PublishRequestSchema, { stream: `models/m/streams/${stream}`, message: {} });
    const path = "/greco.dataplane.v1.IngressService/Publish";
    return rawCall({ address, path, bytes: toBinary(PublishRequestSchema, request) });
  };
  return { child, exited, publish, stderr: () => stderr };
}

it("stops as told, with 0", async () => {
  const { child, exited, publish, stderr } = await startChild();
  expect((await publish("s")).code).toBe("OK");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(stderr()).toContain("process.stopping");
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
