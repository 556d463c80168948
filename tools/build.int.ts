// Apps are built, carried out of the repository, and run there: nothing of it is needed any more.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createDevKeys, systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root, run } from "./lib/run.ts";

const MINUTE_MS = 60_000;

let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "greco-build-"));
  for (const app of ["registry", "runtime", "dev", "cli"]) {
    const built = await run(process.execPath, [
      join(root, "tools/build.ts"),
      app,
      "--out",
      join(folder, app),
    ]);
    expect(built).toMatchObject({ code: 0, output: "" });
  }
}, 3 * MINUTE_MS);

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** A built app outside of the repository, up to the line in which it says that it is there. */
async function start(app: string, flags: readonly string[], there: string) {
  const main = join(folder, app, "main.js");
  const child = spawn(process.execPath, [main, ...flags], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  const said: string[] = [];
  const serving = Promise.withResolvers<string>();
  for (const output of [child.stdout, child.stderr])
    createInterface({ input: output }).on("line", (line) => {
      said.push(line);
      if (line.includes(there)) serving.resolve(line);
    });
  const died = exited.then(() => Promise.reject(new Error(`${app} ended:\n${said.join("\n")}`)));
  died.catch(() => undefined);
  await Promise.race([serving.promise, died]);
  return {
    async stop() {
      child.kill("SIGTERM");
      return await exited;
    },
  };
}

async function greco(...args: readonly string[]): Promise<string> {
  const { code, output } = await run(process.execPath, [join(folder, "cli/main.js"), ...args], {
    cwd: folder,
  });
  if (code !== 0) throw new Error(`greco ${args.join(" ")} ended with ${code}:\n${output}`);
  return output;
}

it("starts registry and runtime as processes of their own, and stops them with 0", async () => {
  const { keysFile } = await createDevKeys(join(folder, "keys"), systemClock);
  const loopback = ["--listen", "127.0.0.1:0"];
  const data = ["--data", join(folder, "data")];
  const registry = await start(
    "registry",
    [...data, ...loopback, "--connect", "127.0.0.1:0", "--keys", keysFile],
    "registry.started",
  );
  const runtime = await start("runtime", [...data, ...loopback, "--threads", "1"], "runtime.serving");
  expect(await runtime.stop()).toEqual([0, null]);
  expect(await registry.stop()).toEqual([0, null]);
});

it(
  "runs everything in one process, expressions on worker threads included",
  { timeout: 3 * MINUTE_MS },
  async () => {
    const data = join(folder, "dev-data");
    const dev = await start(
      "dev",
      ["--data", data, "--port-base", "0", "--lease-ms", "2000"],
      "Greco serves.",
    );
    const entities = join(folder, "entities");
    await mkdir(entities);
    await writeFile(
      join(entities, "all.yaml"),
      `
kind: Stream
name: readings
spec: { lanes: 1, schema: { type: object, properties: { celsius: { type: number } } } }
---
kind: Stream
name: alarms
spec: { schema: { type: object } }
---
kind: Query
name: alarm
spec: { from: readings, to: alarms, where: event.celsius > 30, select: { text: 'string(event.celsius)' } }
`,
    );
    await writeFile(join(folder, "messages"), '{"celsius": 12}\n{"celsius": 31.5}\n');
    const at = ["--data", data, "--model", "weather"];
    await greco("model", "create", "weather", "--wait", "--data", data);
    await greco("draft", "apply", "first", "-f", entities, ...at);
    await greco("make-it-so", "first", "--wait", ...at);
    await greco("stream", "publish", "readings", "-f", join(folder, "messages"), ...at);
    const heard = await greco("stream", "subscribe", "alarms", "--from", "beginning", "--limit", "1", ...at);
    expect(heard).toContain('{"text":"31.5"}');
    expect(await dev.stop()).toEqual([0, null]);
  },
);
