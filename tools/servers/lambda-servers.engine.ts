// ministack and moto: they serve Lambda's API to AWS's own SDK, and nothing of them is left when they are ended, not
// even the functions that ran.
import {
  CreateFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { strToU8, zipSync } from "fflate";
import { expect, it } from "vitest";
import { cacheFolder } from "./cache.ts";
import { servers } from "./for-tests.ts";
import { ministack } from "./ministack.ts";
import { until } from "./until.ts";

const { signal } = new AbortController();
const ACTIVE_WITHIN_S = 60;

const clientOf = (address: string | undefined): LambdaClient =>
  new LambdaClient({
    endpoint: `http://${address}`,
    region: "eu-central-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });

/**
 * Tells on which Node it runs, and by which process: one of its own that nothing ends but a signal, for ministack's
 * workers end by themselves when they wait for a call whose pipe closes, and one that is at work does not.
 */
const CODE = `
const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => 0, 1e6)"], { stdio: "ignore" });
exports.handler = async () => ({ pid: child.pid, node: process.execPath, from: process.cwd() });
`;

type Told = { readonly pid: number; readonly node: string; readonly from: string };

async function runFunction(client: LambdaClient): Promise<Told> {
  const FunctionName = "tells";
  await client.send(
    new CreateFunctionCommand({
      FunctionName,
      Role: "arn:aws:iam::000000000000:role/any",
      Runtime: "nodejs24.x",
      Handler: "index.handler",
      Code: { ZipFile: zipSync({ "index.js": strToU8(CODE) }) },
    }),
  );
  await waitUntilFunctionActiveV2({ client, maxWaitTime: ACTIVE_WITHIN_S, minDelay: 1 }, { FunctionName });
  const { Payload, FunctionError } = await client.send(new InvokeCommand({ FunctionName }));
  const text = Payload?.transformToString() ?? "";
  expect(FunctionError, text).toBeUndefined();
  return JSON.parse(text) as Told;
}

const gone = (pid: number): Promise<void> =>
  until(() => !existsSync(`/proc/${pid}`), { what: `process ${pid} to end`, withinMs: 20_000, signal });

/** Processes of the group that `leader` leads, or led. */
const groupOf = (leader: number): string[] =>
  readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")")).split(" ")[3] === String(leader);
    } catch {
      return false;
    }
  });

it("runs a function on ministack, on this Node, and leaves no process of it", async () => {
  let told: Told;
  let leader: number;
  {
    await using cluster = await servers.ministack({ own: true }, signal);
    const client = clientOf(cluster.addresses[0]);
    using _ = { [Symbol.dispose]: () => client.destroy() };
    expect((await client.send(new ListFunctionsCommand({}))).Functions).toEqual([]);
    told = await runFunction(client);
    expect(told.node).toBe(process.execPath);
    expect(existsSync(`/proc/${told.pid}`)).toBe(true);
    leader = cluster.nodes[0]?.pid ?? 0;
    expect(groupOf(leader)).toEqual(expect.arrayContaining([String(leader), String(told.pid)]));
  }
  await gone(told.pid);
  expect(groupOf(leader)).toEqual([]);
  expect(existsSync(told.from), "what it unpacked goes with its folder").toBe(false);
});

it("ends ministack's functions with it when it is killed, and starts it again empty", async () => {
  await using cluster = await servers.ministack({ own: true }, signal);
  const client = clientOf(cluster.addresses[0]);
  using _ = { [Symbol.dispose]: () => client.destroy() };
  const { pid } = await runFunction(client);
  const [node] = cluster.nodes;
  await node?.kill("SIGKILL");
  await gone(pid);
  await node?.start(signal);
  expect((await client.send(new ListFunctionsCommand({}))).Functions).toEqual([]);
});

it("ends ministack's functions when who started it is killed", async () => {
  const main = join(import.meta.dirname, "main.ts");
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "greco-killed-"));
  stack.defer(() => rm(folder, { recursive: true, maxRetries: 5 }));
  const starter = spawn(process.execPath, [main, "start", "--ministack", "1", "--folder", folder], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(createInterface({ input: starter.stdout }), "line")) as [string];
  const client = clientOf(line.replace("export GRECO_MINISTACK=", ""));
  stack.defer(() => client.destroy());
  const { pid } = await runFunction(client);
  starter.kill("SIGKILL");
  await gone(pid);
});

it("serves Lambda's API by moto", async () => {
  await using cluster = await servers.moto({ own: true }, signal);
  const client = clientOf(cluster.addresses[0]);
  using _ = { [Symbol.dispose]: () => client.destroy() };
  expect((await client.send(new ListFunctionsCommand({}))).Functions).toEqual([]);
});

it("refuses a cluster of several: each is one process", async () => {
  const folder = await mkdtemp(join(tmpdir(), "greco-several-"));
  const options = { cache: cacheFolder(), folder, nodes: 2, say: () => undefined, signal };
  await expect(ministack.start(options)).rejects.toThrow("ministack is one process: ask for 1 node, not 2");
  await rm(folder, { recursive: true });
});
