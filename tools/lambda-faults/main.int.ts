// The command line: what it says, writes down, and refuses.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import type { Call } from "./call.ts";

const started = (...args: readonly string[]) =>
  spawn(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });

it("says what to export, meets the fault that it is given, and writes each call down", async () => {
  await using stack = new AsyncDisposableStack();
  const target = createServer((_request, response) => response.end("{}")).listen(0, "127.0.0.1");
  await once(target, "listening");
  stack.defer(() => new Promise<void>((closed) => target.close(() => closed())));
  const folder = await mkdtemp(join(tmpdir(), "greco-lambda-faults-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const log = join(folder, "calls.jsonl");
  const fault = { operation: "ListFunctions", what: { type: "error", status: 429, when: "before" } };
  const proxy = started(
    ...["--target", `http://127.0.0.1:${(target.address() as AddressInfo).port}`],
    ...["--log", log, "--fault", JSON.stringify(fault), "--emulate", "publish,busy"],
  );
  const ended = once(proxy, "exit");
  const lines = createInterface({ input: proxy.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const [, endpoint] = /^export AWS_ENDPOINT_URL_LAMBDA=(\S+) /.exec(await next()) ?? [];
  const list = (): Promise<Response> => fetch(`${endpoint}/2015-03-31/functions`);
  expect((await list()).status).toBe(429);
  expect(await next()).toMatch(/^1 ListFunctions {2}429 \d+ ms {2}injected error$/);
  expect((await list()).status).toBe(200);
  expect(await next()).toMatch(/^2 ListFunctions {2}200 \d+ ms$/);
  proxy.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  const calls = (await readFile(log, "utf8")).trim().split("\n");
  const [first, second] = calls.map((line) => JSON.parse(line) as Call);
  expect(first?.injected?.what).toEqual({ ...fault.what, code: "TooManyRequestsException" });
  expect([second?.injected, second?.response?.status, calls.length]).toEqual([undefined, 200, 2]);
});

it.each([
  [["--target", "nowhere"], /usage: main.ts --target/],
  [
    ["--target", "http://127.0.0.1:1", "--emulate", "publis"],
    /no emulation "publis"; did you mean publish\?/,
  ],
  [
    ["--target", "http://127.0.0.1:1", "--fault", '{"operation":"PublishVersions"}'],
    /no operation "PublishVersions"; did you mean PublishVersion\?/,
  ],
])("refuses %j", async (args, says) => {
  const proxy = started(...args);
  const ended = once(proxy, "exit");
  expect(await text(proxy.stderr)).toMatch(says);
  expect(await ended).toEqual([2, null]);
});
