// The host and the function together, on an emulator of AWS Lambda that runs functions as processes.
import { DeleteFunctionCommand, PublishVersionCommand } from "@aws-sdk/client-lambda";
import type { Invocation, Log, Program } from "@greco/ports";
import { functionHostContract } from "@greco/ports/testing";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { DeployingHost, nameOf } from "./testing/deploying-host.ts";

const never = new AbortController().signal;
const lines: string[] = [];
const line = (event: string): void => void lines.push(event);
const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };

let endpoint = "";
let stack: AsyncDisposableStack;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  const cluster = stack.use(await servers.ministack({}, never));
  endpoint = `http://${cluster.addresses[0]}`;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await stack.disposeAsync();
});

const hostOf = (): DeployingHost =>
  new DeployingHost({ region: "eu-central-1", endpoint }, log, { concurrency: 2, batch: 100, heapMb: 64 });

// AWS ends the whole process, and says of each end only that it was one; a load has the time of a call.
functionHostContract("the Lambda host", hostOf, {
  ended: "FUNCTION_ERROR",
  outOfMemory: "FUNCTION_ERROR",
  loadTimeout: "TIMEOUT",
});

const program: Program = {
  id: "found-again",
  query: JSON.stringify({
    ...{ name: "late", from: "a", to: "b", tables: [], select: { n: "event.n" }, timeoutMs: 1_000 },
    ...{ onError: { retries: 0, then: "skip" }, schemas: { from: {}, tables: {} } },
  }),
  tables: {},
};
const invocation: Invocation = {
  payload: Buffer.from('{"n":1}'),
  key: "key",
  idempotencyKey: "id",
  context: { lane: "lane", seq: 1, epoch: 1 },
};

it("finds a version that was deleted and published again by its content", async () => {
  await using host = hostOf();
  await host.load(program, never);
  const FunctionName = nameOf(program);
  await host.client.send(new DeleteFunctionCommand({ FunctionName, Qualifier: "1" }));
  await expect(host.invoke(program.id, [invocation], never)).rejects.toThrow(
    /no other version has its content/,
  );
  const { Version } = await host.client.send(new PublishVersionCommand({ FunctionName }));
  expect(Version).not.toBe("1");
  const outcomes = await host.invoke(program.id, [invocation], never);
  expect(outcomes).toEqual([{ type: "outputs", outputs: [{ key: "key", payload: Buffer.from('{"n":1}') }] }]);
  expect(lines).toContain("lambda.version-found");
});
