// The zip under AWS's own runtime client, as AWS runs it.
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallMessage, CallRequest } from "../call.ts";
import { functionCode } from "../function-code.ts";
import { functionSource } from "../function-source.ts";
import { type AwsRuntime, startAwsRuntime } from "../testing/aws-runtime.ts";

const never = new AbortController().signal;
const bands: TableContent = {
  name: "bands",
  key: "id",
  schema: { type: "object", properties: { id: { type: "string" }, pay: { type: "number" } } },
  rows: [{ id: "short", pay: 250 }],
};

let stack: AsyncDisposableStack;
beforeEach(() => (stack = new AsyncDisposableStack()));
afterEach(() => stack.disposeAsync());

async function start(
  query: Partial<QueryContent>,
  tables: readonly TableContent[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<AwsRuntime> {
  const content: QueryContent = {
    name: "late",
    from: "flights",
    to: "payments",
    tables: tables.map(({ name }) => name),
    onError: { retries: 0, then: "dead-letter" },
    timeoutMs: 5_000,
    schemas: { from: {}, tables: {} },
    ...query,
  };
  const { zip } = functionCode(await functionSource(never), content, tables);
  return stack.use(await startAwsRuntime(zip, env));
}

const handler = (body: string): string => `export async function handle(event, context) { ${body} }`;

const messageOf = (event: unknown, seq: number): CallMessage => ({
  payload: typeof event === "string" ? event : JSON.stringify(event),
  key: `key-${seq}`,
  id: `lane/${seq}`,
  lane: "lane",
  seq,
});
const requestOf = (...events: readonly unknown[]): CallRequest => ({
  greco: 1,
  epoch: 7,
  query: "late",
  messages: events.map(messageOf),
});

describe("expressions", () => {
  it("filter, select and look up tables; what fails fails alone; what is not changed is the same text", async () => {
    const runtime = await start(
      { where: "event.delay >= 120", select: { pay: "tables.bands[event.band].pay * 2.0", n: "event.n" } },
      [bands],
    );
    expect(
      await runtime.invoke(
        requestOf({ delay: 130, band: "short", n: 1 }, { delay: 5 }, { delay: 130, band: "none" }, "{"),
      ),
    ).toMatchObject({
      outcomes: [
        { outputs: ['{"n":1,"pay":500}'] },
        { outputs: [] },
        { reason: "NO_SUCH_FIELD", retryable: false },
        { reason: "BAD_PAYLOAD", retryable: false },
      ],
    });
    const passing = await start({});
    const text = '{ "delay": 1.0, "n": 12345678901234567890, "x": "\\u00fc" }';
    expect(await passing.invoke(requestOf(text))).toEqual({ outcomes: [{ outputs: [text] }] });
  });

  it("that do not compile are refused, at every call, with their place", async () => {
    const runtime = await start({ select: { pay: "1 +" } });
    const refused = { refused: { reason: "BAD_EXPRESSION", place: "select.pay" } };
    expect(await runtime.invoke(requestOf())).toMatchObject(refused);
    expect(await runtime.invoke(requestOf({}))).toMatchObject(refused);
  });
});

describe("handlers", () => {
  it("see the event and its context, tables by key; all messages of a batch are under way at once", async () => {
    const runtime = await start(
      {
        handler: `let all = 0; const go = Promise.withResolvers();
          ${handler(`all += 1; if (all === 3) go.resolve(); await go.promise;
          const { signal, ...rest } = context; return { event, ...rest, aborted: signal.aborted }`)}`,
      },
      [bands],
    );
    const outcomes = [1, 2, 3].map((n, seq) => {
      const context = { lane: "lane", seq, epoch: 7, key: `key-${seq}`, idempotencyKey: `lane/${seq}` };
      const tables = { bands: { short: { id: "short", pay: 250 } } };
      return { outputs: [JSON.stringify({ event: { n }, ...context, tables, aborted: false })] };
    });
    expect(await runtime.invoke(requestOf({ n: 1 }, { n: 2 }, { n: 3 }))).toEqual({ outcomes });
  });

  it("each have their own time, and are told when it is up", async () => {
    const runtime = await start({
      timeoutMs: 100,
      handler: handler(`if (event.told) return globalThis.told;
        if (event.wait) await new Promise(() => context.signal.addEventListener("abort", () => { globalThis.told = context.signal.reason.name }));
        return event.n`),
    });
    expect(await runtime.invoke(requestOf({ n: 1 }, { wait: true }, { n: 3 }))).toEqual({
      outcomes: [
        { outputs: ["1"] },
        { reason: "TIMEOUT", message: "took longer than its 100 ms", retryable: true },
        { outputs: ["3"] },
      ],
    });
    expect(await runtime.invoke(requestOf({ told: true }))).toEqual({
      outcomes: [{ outputs: ['"TimeoutError"'] }],
    });
  });

  it.each([
    ["throws", "throw new Error('no such airport')", /no such airport/],
    [
      "throws from a timer",
      "await new Promise(() => setTimeout(() => { throw new Error('late') }, 1))",
      /late/,
    ],
    ["leaves the process", "process.exit(0)", /process.exit is not for handlers/],
    ["lets a stack overflow", "const f = () => f() + 1; f()", /call stack/],
  ])("that %s fail only their call, and the process goes on", async (_, body, message) => {
    const runtime = await start({
      handler: `let calls = 0; ${handler(`calls += 1; if (event.bad) { ${body} } return calls`)}`,
    });
    expect(await runtime.invoke(requestOf({}, { bad: true }, {}))).toMatchObject({
      outcomes: [
        { outputs: ["1"] },
        { reason: "HANDLER_THREW", retryable: true, message: expect.stringMatching(message) as string },
        { outputs: ["3"] },
      ],
    });
    expect(await runtime.invoke(requestOf({}))).toEqual({ outcomes: [{ outputs: ["4"] }] });
  });

  it("may leave a rejection behind: it is in the log", async () => {
    const runtime = await start({
      handler: handler("void Promise.reject(new Error('left behind')); return 1"),
    });
    expect(await runtime.invoke(requestOf({}, {}))).toEqual({
      outcomes: [{ outputs: ["1"] }, { outputs: ["1"] }],
    });
    expect(await runtime.invoke(requestOf({}))).toEqual({ outcomes: [{ outputs: ["1"] }] });
    await expect.poll(() => runtime.output()).toContain("left behind");
  });

  it("whose result is no JSON are told where", async () => {
    const runtime = await start({ handler: handler("return { a: { b: NaN } }") });
    expect(await runtime.invoke(requestOf({}))).toMatchObject({
      outcomes: [{ reason: "BAD_RESULT", message: expect.stringContaining("result.a.b is NaN") as string }],
    });
  });

  it.each([
    ["no function", "export const handel = 1", /exports no function "handle"/],
    ["an error at its top", "throw new Error('at its top')", /at its top/],
    ["what cannot be found", "import 'no-such-package'; export function handle() {}", /does not load/],
  ])("with %s are refused", async (_, source, message) => {
    const runtime = await start({ handler: source });
    expect(await runtime.invoke(requestOf())).toMatchObject({
      refused: { reason: "BAD_HANDLER", place: "handler", message: expect.stringMatching(message) as string },
    });
  });

  it("that failed once when they were loaded are loaded again at the next call", async () => {
    const source = `if ((globalThis.loads = (globalThis.loads ?? 0) + 1) === 1) throw new Error("not now");
      ${handler("return globalThis.loads")}`;
    const runtime = await start({ handler: source });
    expect(await runtime.invoke(requestOf({}))).toMatchObject({ refused: { reason: "BAD_HANDLER" } });
    expect(await runtime.invoke(requestOf({}))).toEqual({ outcomes: [{ outputs: ["2"] }] });
  });

  it("that end the process are an error of the call, as AWS tells it", async () => {
    const runtime = await start({ handler: handler("process.reallyExit(3)") });
    await expect(runtime.invoke(requestOf({}))).rejects.toThrow("the process ended: 3");
  });
});

it("has loaded before it is ready, where AWS keeps it warm", async () => {
  const source = `import { writeFileSync } from "node:fs";
    await new Promise((go) => setTimeout(go, 200));
    writeFileSync(process.env.LAMBDA_TASK_ROOT + "/loaded", "");
    ${handler("return 1")}`;
  const warm = { AWS_LAMBDA_INITIALIZATION_TYPE: "provisioned-concurrency" };
  const runtime = await start({ handler: source }, [], warm);
  expect(await runtime.started).toContain("loaded");
  expect(await runtime.invoke(requestOf({}))).toEqual({ outcomes: [{ outputs: ["1"] }] });
});

it("refuses a call in a format that it does not know", async () => {
  const runtime = await start({});
  const request = { ...requestOf({}), greco: 2 } as unknown as CallRequest;
  expect(await runtime.invoke(request)).toMatchObject({ refused: { reason: "UNKNOWN_FORMAT" } });
});
