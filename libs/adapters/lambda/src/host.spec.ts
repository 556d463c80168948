import type { LambdaContent, QueryContent } from "@greco/domain/epoch";
import { type FunctionHost, type Invocation, type Log, type Program, ProgramLoadError } from "@greco/ports";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { configHashOf } from "@greco/domain/epoch";
import { settingsOf } from "./configuration.ts";
import { createLambdaFunctionHost } from "./host.ts";
import type { LambdaLimits } from "./limits.ts";
import {
  type LambdaScript,
  type LambdaStub,
  startLambdaStub,
  type StubAnswer,
  type StubCall,
} from "./testing/lambda-stub.ts";

const never = new AbortController().signal;
const arn = "arn:aws:lambda:eu-west-1:123456789012:function:late";
const lines: string[] = [];
const line = (event: string): void => void lines.push(event);
const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };

const stack = { current: new AsyncDisposableStack() };
beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  lines.splice(0);
  stack.current = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.current.disposeAsync();
  vi.unstubAllEnvs();
});

type Opened = { readonly stub: LambdaStub; readonly host: FunctionHost };

/** A stub that answers as `answer` says; to the probe, that all is well. */
async function open(
  answer: LambdaScript["answer"],
  versions?: LambdaScript["versions"],
  limits: Partial<LambdaLimits> = {},
): Promise<Opened> {
  const script: LambdaScript = {
    answer: (call) => (call.request.messages.length === 0 ? { body: { outcomes: [] } } : answer(call)),
    ...(versions === undefined ? {} : { versions }),
  };
  const stub = stack.current.use(await startLambdaStub(script));
  return { stub, host: hostOf(stub, limits) };
}

function hostOf({ endpoint }: LambdaStub, limits: Partial<LambdaLimits> = {}): FunctionHost {
  return stack.current.use(
    createLambdaFunctionHost({ access: { region: "eu-west-1", endpoint }, log, limits }),
  );
}

function programOf(lambda: Partial<LambdaContent> = {}, id = "p"): Program {
  const content: Partial<QueryContent> = {
    name: "late",
    lambda: {
      qualifiedArn: `${arn}:7`,
      codeSha256: "sha",
      configHash: "hash",
      concurrency: 4,
      batch: 100,
      ...lambda,
    },
  };
  return { id, query: JSON.stringify(content), tables: {} };
}

const invocationOf = (payload: string | Uint8Array, seq = 1, epoch = 3): Invocation => ({
  payload: typeof payload === "string" ? Buffer.from(payload) : payload,
  key: `key-${seq}`,
  idempotencyKey: `id-${seq}`,
  context: { lane: "lane", seq, epoch },
});
const many = (count: number): readonly Invocation[] =>
  Array.from({ length: count }, (_, n) => invocationOf(`${n + 1}`, n + 1));

/** What the function would say: the payloads back. */
const echo = ({ request }: StubCall): StubAnswer => ({
  body: { outcomes: request.messages.map(({ payload }) => ({ outputs: [payload] })) },
});

async function run({ host }: Opened, invocations: readonly Invocation[], program = programOf()) {
  await host.load(program, never);
  const outcomes = await host.invoke(program.id, invocations, never);
  return outcomes.map((outcome) =>
    outcome.type === "outputs" ? Buffer.from(outcome.outputs[0]?.payload ?? []).toString() : outcome.reason,
  );
}

const payloadsOf = ({ calls }: LambdaStub): readonly (readonly string[])[] =>
  calls.slice(1).map(({ request }) => request.messages.map(({ payload }) => payload));

describe("what a call is", () => {
  it("asks the numbered version that the binding names, with all that a handler sees, and keeps the keys", async () => {
    const opened = await open(echo);
    await opened.host.load(programOf(), never);
    const outcomes = await opened.host.invoke("p", [invocationOf('{"ü": 1}', 5)], never);
    expect(outcomes).toEqual([
      { type: "outputs", outputs: [{ key: "key-5", payload: Buffer.from('{"ü": 1}') }] },
    ]);
    const [probe, call] = opened.stub.calls;
    expect(probe?.request).toEqual({ greco: 1, epoch: 0, query: "late", messages: [] });
    expect(call).toMatchObject({
      functionName: arn,
      version: "7",
      request: {
        greco: 1,
        epoch: 3,
        query: "late",
        messages: [{ payload: '{"ü": 1}', key: "key-5", id: "id-5", lane: "lane", seq: 5 }],
      },
    });
  });

  it("holds at most `batch` messages, and the answers stand in their order", async () => {
    const opened = await open(echo);
    const answers = await run(opened, many(10), programOf({ batch: 4 }));
    expect(answers).toEqual(many(10).map((_, n) => `${n + 1}`));
    expect(payloadsOf(opened.stub).map((each) => each.length)).toEqual([4, 4, 2]);
  });

  it("holds no more bytes than AWS takes, counted as they are sent; one message that is larger fails alone", async () => {
    const opened = await open(echo, undefined, { requestBytes: 1_000 });
    const texts = ["a".repeat(300), '"'.repeat(300), "b".repeat(300), "ü".repeat(600), "c"];
    const answers = await run(
      opened,
      texts.map((text, n) => invocationOf(text, n)),
    );
    expect(answers).toEqual([texts[0], texts[1], texts[2], "PAYLOAD_TOO_LARGE", texts[4]]);
    expect(Math.max(...opened.stub.calls.map(({ bytes }) => bytes))).toBeLessThanOrEqual(1_000);
    expect(payloadsOf(opened.stub)).not.toContainEqual([texts[0], texts[1], texts[2]]);
  });

  it("never spans a marker", async () => {
    const opened = await open(echo);
    await run(
      opened,
      [3, 3, 4, 4, 4, 5].map((epoch, n) => invocationOf(`${n}`, n, epoch)),
    );
    expect(opened.stub.calls.slice(1).map(({ request }) => [request.epoch, request.messages.length])).toEqual(
      [
        [3, 2],
        [4, 3],
        [5, 1],
      ],
    );
  });

  it("is not made for a payload that is no UTF-8", async () => {
    const opened = await open(echo);
    const answers = await run(opened, [
      invocationOf("1"),
      invocationOf(Uint8Array.of(0xff)),
      invocationOf("2"),
    ]);
    expect(answers).toEqual(["1", "BAD_PAYLOAD", "2"]);
    expect(payloadsOf(opened.stub)).toEqual([["1", "2"]]);
  });

  it("has no more than `concurrency` beside it, whoever asks for that version", async () => {
    const go = Promise.withResolvers<void>();
    const all = new Set<StubCall>();
    let most = 0;
    const opened = await open(async (call) => {
      all.add(call);
      most = Math.max(most, all.size);
      await go.promise;
      all.delete(call);
      return echo(call);
    });
    const { host } = opened;
    await host.load(programOf({ concurrency: 2, batch: 1 }, "other"), never);
    const program = programOf({ concurrency: 2, batch: 1 });
    const answers = Promise.all([run(opened, many(10), program), host.invoke("other", many(10), never)]);
    await expect.poll(() => all.size).toBe(2);
    // Whoever came too many would have arrived before these, which other versions answer.
    for (let version = 8; version < 12; version++)
      await host.load(programOf({ qualifiedArn: `${arn}:${version}` }, `${version}`), never);
    go.resolve();
    expect((await answers).flat()).toHaveLength(20);
    expect(most).toBe(2);
  });
});

describe("what comes back", () => {
  it("says itself what became of each message", async () => {
    const failure = { reason: "NO_SUCH_FIELD", message: "select.d", retryable: false };
    const opened = await open(() => ({
      body: { outcomes: [{ outputs: [] }, failure, { outputs: ["1", "2"] }] },
    }));
    await opened.host.load(programOf(), never);
    expect(await opened.host.invoke("p", many(3), never)).toEqual([
      { type: "outputs", outputs: [] },
      { type: "failed", ...failure },
      {
        type: "outputs",
        outputs: ["1", "2"].map((text) => ({ key: "key-3", payload: Buffer.from(text) })),
      },
    ]);
  });

  it.each([
    ["Runtime.ExitError", "exit status 3", "FUNCTION_ERROR"],
    ["Sandbox.Timedout", "2026-11-28 Task timed out after 3.00 seconds", "TIMEOUT"],
    ["", "Task timed out after 3.00 seconds", "TIMEOUT"],
    ["Runtime.OutOfMemory", "signal: killed", "OUT_OF_MEMORY"],
    ["Function.ResponseSizeTooLarge", "Response payload size exceeded", "RESULT_TOO_LARGE"],
  ])("%s: halves the batch until only the guilty message fails", async (errorType, errorMessage, reason) => {
    const opened = await open((call) =>
      call.request.messages.some(({ payload }) => payload === "5")
        ? { broken: { errorType, errorMessage } }
        : echo(call),
    );
    expect(await run(opened, many(8))).toEqual(["1", "2", "3", "4", reason, "6", "7", "8"]);
    const [outcome] = await opened.host.invoke("p", [invocationOf("5")], never);
    expect(outcome).toMatchObject({
      type: "failed",
      retryable: true,
      message: expect.stringContaining(errorMessage) as string,
    });
  });

  it("fails throttled messages, which may be tried again, and asks AWS once", async () => {
    const opened = await open(() => ({ status: 429, error: "TooManyRequestsException" }));
    expect(await run(opened, many(3))).toEqual(["THROTTLED", "THROTTLED", "THROTTLED"]);
    expect(await opened.host.invoke("p", many(1), never)).toMatchObject([{ retryable: true }]);
    expect(opened.stub.calls).toHaveLength(3);
  });

  it("makes fewer messages of a request that AWS finds too large", async () => {
    const opened = await open((call) =>
      call.request.messages.length > 2 ? { status: 413, error: "RequestTooLargeException" } : echo(call),
    );
    expect(await run(opened, many(5))).toEqual(["1", "2", "3", "4", "5"]);
  });

  it.each<[string, StubAnswer, RegExp]>([
    ["5xx", { status: 500, error: "ServiceException" }, /ServiceException/],
    ["a connection that is cut", { cut: true }, /hang up|ECONNRESET/],
    ["no permission", { status: 403, error: "AccessDeniedException" }, /AccessDenied/],
    [
      "another executed version",
      { executed: "8", body: { outcomes: [{ outputs: [] }] } },
      /version 8 was executed/,
    ],
    ["no answer of ours", { body: { hello: 1 } }, /is it one of ours/],
    ["too few outcomes", { body: { outcomes: [] } }, /is it one of ours/],
    [
      "a program that has stopped to load",
      { body: { refused: { reason: "R", place: "", message: "m" } } },
      /stopped to load/,
    ],
  ])("%s: the host fails, and no message does", async (_, answer, error) => {
    const opened = await open(() => answer);
    await opened.host.load(programOf(), never);
    await expect(opened.host.invoke("p", many(1), never)).rejects.toThrow(error);
    expect(opened.stub.calls).toHaveLength(2);
  });

  it("gives up what is under way beside a call that fails the host", async () => {
    const gone: Promise<void>[] = [];
    const opened = await open(async (call) => {
      if (call.request.messages[0]?.payload === "2") {
        await expect.poll(() => gone.length).toBe(1);
        return { status: 500, error: "ServiceException" };
      }
      gone.push(call.gone);
      await call.gone;
      return echo(call);
    });
    await expect(run(opened, many(2), programOf({ batch: 1 }))).rejects.toThrow(/ServiceException/);
    await Promise.all(gone);
  });
});

describe("a version that is gone", () => {
  const configuration = { MemorySize: 256, Timeout: 9, Role: "arn:role", Architectures: ["arm64"] } as const;
  const configHash = configHashOf(settingsOf({ ...configuration, Architectures: ["arm64"] }));
  const notFound: StubAnswer = { status: 404, error: "ResourceNotFoundException" };
  const only = (version: string) => (call: StubCall) => (call.version === version ? echo(call) : notFound);

  it("is found by its content, on whatever page, once for all who miss it", async () => {
    const opened = await open(only("12"), () => [
      [
        { Version: "$LATEST", CodeSha256: "sha", ...configuration },
        { Version: "8", CodeSha256: "other", ...configuration },
      ],
      [
        { Version: "12", CodeSha256: "sha", ...configuration },
        { Version: "13", CodeSha256: "sha", ...configuration, MemorySize: 128 },
        { Version: "14", CodeSha256: "other", ...configuration },
      ],
    ]);
    expect(await run(opened, many(4), programOf({ configHash, batch: 2 }))).toEqual(["1", "2", "3", "4"]);
    expect(await run(opened, many(1), programOf({ configHash, batch: 2 }))).toEqual(["1"]);
    expect(lines.filter((event) => event === "lambda.version-found")).toHaveLength(1);
    expect(opened.stub.calls.map(({ version }) => version).toSorted()).toEqual([
      "12",
      "12",
      "12",
      "7",
      "7",
      "7",
    ]);
  });

  it("that has no like is what the host fails for", async () => {
    const opened = await open(only("12"), () => [
      [
        { Version: "$LATEST", CodeSha256: "sha", ...configuration },
        { Version: "12", CodeSha256: "other", ...configuration },
      ],
    ]);
    await expect(run(opened, many(1), programOf({ configHash }))).rejects.toThrow(
      /7 is not found.*greco repair/,
    );
  });
});

describe("loading", () => {
  it("asks once, however many load; a program with the same version has its places", async () => {
    const opened = await open(echo);
    await Promise.all([opened.host.load(programOf(), never), opened.host.load(programOf(), never)]);
    expect(opened.stub.calls).toHaveLength(1);
  });

  it.each<[StubAnswer, object]>([
    [
      { body: { refused: { reason: "BAD_EXPRESSION", place: "select.d", message: "too early" } } },
      { reason: "BAD_EXPRESSION", place: "select.d", message: "too early" },
    ],
    [
      { broken: { errorType: "Runtime.ExitError", errorMessage: "exit status 1" } },
      { reason: "FUNCTION_ERROR", place: "", message: expect.stringContaining("exit status 1") as string },
    ],
  ])("refuses what the function refuses", async (answer, expected) => {
    const stub = stack.current.use(await startLambdaStub({ answer: () => answer }));
    const host = hostOf(stub);
    const error = await host.load(programOf(), never).catch((each: unknown) => each);
    expect(error).toBeInstanceOf(ProgramLoadError);
    expect(error).toMatchObject(expected);
    // And asks again when it is asked again.
    await expect(host.load(programOf(), never)).rejects.toThrow();
    expect(stub.calls).toHaveLength(2);
  });

  it("fails otherwise where nobody can tell whether the program is good", async () => {
    const stub = stack.current.use(
      await startLambdaStub({ answer: () => ({ status: 429, error: "TooManyRequestsException" }) }),
    );
    const error = await hostOf(stub)
      .load(programOf(), never)
      .catch((each: unknown) => each);
    expect(error).not.toBeInstanceOf(ProgramLoadError);
    expect(String(error)).toMatch(/does not answer/);
  });

  it.each<[string, Partial<LambdaContent>]>([
    ["an alias", { qualifiedArn: `${arn}:live` }],
    ["$LATEST", { qualifiedArn: `${arn}:$LATEST` }],
    ["a function without a version", { qualifiedArn: arn }],
    ["no batch", { batch: 0 }],
  ])("refuses a binding that names %s", async (_, lambda) => {
    const { host, stub } = await open(echo);
    await expect(host.load(programOf(lambda), never)).rejects.toThrow(ProgramLoadError);
    expect(stub.calls).toHaveLength(0);
  });
});

describe("life", () => {
  it("ends the requests of a call whose signal aborts, with the signal's reason", async () => {
    const gone: Promise<void>[] = [];
    const opened = await open(async (call) => {
      gone.push(call.gone);
      await call.gone;
      return echo(call);
    });
    await opened.host.load(programOf(), never);
    const stop = new AbortController();
    // More than have a place: those that wait for one are given up, too.
    const given = opened.host.invoke("p", many(9), stop.signal);
    const alone = programOf({ batch: 1, concurrency: 2 }, "alone");
    await opened.host.load(alone, never);
    const waiting = opened.host.invoke("alone", many(9), stop.signal);
    await expect.poll(() => gone.length).toBeGreaterThan(1);
    stop.abort(new Error("not needed"));
    await expect(given).rejects.toThrow("not needed");
    await expect(waiting).rejects.toThrow("not needed");
    await Promise.all(gone);
  });

  it("closes its idle connections when it is disposed", async () => {
    const opened = await open(echo);
    await run(opened, many(1));
    expect(await opened.stub.connections()).toBe(1);
    await opened.host[Symbol.asyncDispose]();
    await expect.poll(() => opened.stub.connections()).toBe(0);
  });

  it("gives up what runs when it is disposed, twice too", async () => {
    const begun = Promise.withResolvers<void>();
    const opened = await open(async (call) => {
      begun.resolve();
      await call.gone;
      return echo(call);
    });
    await opened.host.load(programOf(), never);
    const lost = expect(opened.host.invoke("p", many(1), never)).rejects.toThrow(/closed/);
    await begun.promise;
    await Promise.all([opened.host[Symbol.asyncDispose](), opened.host[Symbol.asyncDispose]()]);
    await lost;
    await expect.poll(() => opened.stub.connections()).toBe(0);
    await expect(opened.host.load(programOf(), never)).rejects.toThrow(/closed/);
    await expect(opened.host.invoke("p", many(1), never)).rejects.toThrow(/closed/);
  });

  it("uses its connections again", async () => {
    const opened = await open(echo);
    for (let each = 0; each < 5; each++) await run(opened, many(1));
    expect(await opened.stub.connections()).toBe(1);
  });
});
