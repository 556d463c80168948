import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { IngressService, PublishRequestSchema } from "@greco/contracts/greco/dataplane/v1/dataplane";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@greco/contracts/google/rpc/error_details";
import { Health } from "@greco/contracts/grpc/health/v1/health";
import { describe, expect, it } from "vitest";
import type { Authority } from "./authority/caller.ts";
import type { ConnectListen } from "./connect-server.ts";
import { fault } from "./fault.ts";
import type { Handlers } from "./handlers.ts";
import { createLog } from "./log.ts";
import { serve, type ServeOptions } from "./serve.ts";
import { implementPartly, trustingAuthority } from "./testing/index.ts";

const signal = new AbortController().signal;
const stream = "models/m/streams/s";

/** As the real one refuses, without its keys. */
const onlyAda: Authority = {
  authenticate(authorization) {
    if (authorization !== "Bearer ada") throw fault.unauthenticated("TOKEN_MISSING", "no token");
    return { subject: "ada" };
  },
  authorize(_caller, _method, request) {
    if ("stream" in request && request.stream === "models/secret/streams/s")
      throw fault.denied("viewer", "not you");
  },
};

async function open(
  handlers: Partial<Handlers<typeof IngressService>>,
  connect: Partial<ConnectListen> = {},
  options: Partial<ServeOptions> = {},
) {
  const lines: string[] = [];
  const server = await serve(
    {
      services: [implementPartly(IngressService, handlers)],
      listen: { host: "127.0.0.1", port: 0 },
      connect: { host: "127.0.0.1", port: 0, ...connect },
      authority: onlyAda,
      log: createLog({ service: "test", write: (line) => lines.push(line) }),
      limits: { streamDrainMs: 20 },
      ...options,
    },
    signal,
  );
  const baseUrl = server.connectAddress ?? "";
  return {
    server,
    lines,
    baseUrl,
    url: (method: string) => `${baseUrl}/greco.dataplane.v1.IngressService/${method}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const transports: [string, (baseUrl: string) => Transport][] = [
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  [
    "Connect as JSON",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
];

const headers = { authorization: "Bearer ada" };

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  return await call.then(
    () => {
      throw new Error("the call succeeded");
    },
    (error: unknown) => ConnectError.from(error),
  );
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const item of items) got.push(item);
  return got;
}

describe.each(transports)("over %s", (_name, transport) => {
  it("answers by the same handlers as over gRPC", async () => {
    await using it = await open({
      publish: async ({ stream: name }, { caller }) => ({
        position: { lane: `${caller.subject} ${name}`, seq: 3n },
      }),
      subscribe: async function* ({ window }) {
        for (let i = 1; i <= window; i += 1) yield { entries: [{ epoch: BigInt(i) }] };
      },
    });
    const client = createClient(IngressService, transport(it.baseUrl));
    const { position } = await client.publish({ stream, message: {} }, { headers });
    expect(position).toMatchObject({ lane: `ada ${stream}`, seq: 3n });
    const responses = await all(client.subscribe({ stream, window: 500 }, { headers }));
    expect(responses.map(({ entries }) => entries[0]?.epoch)).toEqual(
      Array.from({ length: 500 }, (_, i) => BigInt(i + 1)),
    );
    expect((await createClient(Health, transport(it.baseUrl)).check({})).status).toBe(1);
  });

  it("I14: checks token and role by the same interceptor, with no effect", async () => {
    let count = 0;
    await using it = await open({
      publish: async () => {
        count += 1;
        return {};
      },
    });
    const client = createClient(IngressService, transport(it.baseUrl));
    const without = await failure(client.publish({ stream, message: {} }));
    expect(without).toMatchObject({ code: Code.Unauthenticated, rawMessage: "no token" });
    expect(without.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "TOKEN_MISSING", domain: "greco.dev" },
    ]);
    const denied = await failure(
      client.publish({ stream: "models/secret/streams/s", message: {} }, { headers }),
    );
    expect(denied.code).toBe(Code.PermissionDenied);
    expect(denied.findDetails(ErrorInfoSchema)).toMatchObject([{ metadata: { missingRole: "viewer" } }]);
    expect(await failure(all(client.subscribe({ stream })))).toMatchObject({ code: Code.Unauthenticated });
    expect(count).toBe(0);
  });

  it("I15: names the fields that break a rule, with no effect", async () => {
    await using it = await open({});
    const client = createClient(IngressService, transport(it.baseUrl));
    const error = await failure(client.publish({ stream: "x", atLeastEpoch: -1n }, { headers }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "INVALID_FIELD" }]);
    const [badRequest] = error.findDetails(BadRequestSchema);
    expect(badRequest?.fieldViolations.map(({ field }) => field)).toEqual([
      "stream",
      "message",
      "at_least_epoch",
    ]);
  });

  it("carries the same details of a fault, in answers and at the end of streams", async () => {
    const full = () => fault.exhausted("INGRESS_FULL", "full: wait \u{1f30a} \ud800", 1_250);
    await using it = await open({
      publish: async () => {
        throw full();
      },
      subscribe: async function* () {
        yield { entries: [] };
        throw full();
      },
    });
    const client = createClient(IngressService, transport(it.baseUrl));
    for (const call of [
      client.publish({ stream, message: {} }, { headers }),
      all(client.subscribe({ stream }, { headers })),
    ]) {
      const error = await failure(call);
      expect(error).toMatchObject({
        code: Code.ResourceExhausted,
        rawMessage: "full: wait \u{1f30a} \ufffd",
      });
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "INGRESS_FULL" }]);
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({
        seconds: 1n,
        nanos: 250_000_000,
      });
    }
  });

  it("I15: refuses what is too large, and goes on", async () => {
    await using it = await open({}, {}, { limits: { messageBytesMax: 10_000, streamDrainMs: 20 } });
    const client = createClient(IngressService, transport(it.baseUrl));
    const error = await failure(
      client.publish({ stream, message: { payload: new Uint8Array(20_000) } }, { headers }),
    );
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "MESSAGE_TOO_LARGE" }]);
    expect(await failure(client.publish({ stream, message: {} }, { headers }))).toMatchObject({
      code: Code.Unimplemented,
    });
  });

  it("answers what nobody foresaw with a correlation id alone", async () => {
    await using it = await open({
      publish: async () => {
        throw new Error("a secret");
      },
    });
    const client = createClient(IngressService, transport(it.baseUrl));
    const error = await failure(client.publish({ stream, message: {} }, { headers }));
    expect(error.code).toBe(Code.Internal);
    expect(error.rawMessage).not.toContain("secret");
    const [info] = error.findDetails(ErrorInfoSchema);
    expect(it.lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { event: "call.failed", correlationId: info?.metadata["correlationId"] },
    ]);
  });

  it("aborts the handler at the deadline, and when the caller leaves", async () => {
    const reasons: unknown[] = [];
    const aborted = Promise.withResolvers<void>();
    await using it = await open({
      publish: async (_request, context) => {
        await once(context.signal, "abort");
        reasons.push(context.signal.reason);
        throw context.signal.reason as Error;
      },
      subscribe: async function* (_request, context) {
        context.signal.addEventListener("abort", () => {
          reasons.push(context.signal.reason);
          aborted.resolve();
        });
        for (;;) yield { entries: [{ payload: new Uint8Array(65_536) }] };
      },
    });
    const client = createClient(IngressService, transport(it.baseUrl));
    // By header alone: with `timeoutMs` the client would be the first to give up.
    const deadline = { ...headers, "connect-timeout-ms": "50", "grpc-timeout": "50m" };
    const late = await failure(client.publish({ stream, message: {} }, { headers: deadline }));
    expect(late.code).toBe(Code.DeadlineExceeded);
    const leaving = new AbortController();
    const reading = failure(
      (async () => {
        for await (const _each of client.subscribe({ stream }, { headers, signal: leaving.signal }))
          leaving.abort();
      })(),
    );
    expect((await reading).code).toBe(Code.Canceled);
    await aborted.promise;
    expect(reasons).toMatchObject([{ kind: "deadline" }, { kind: "cancelled" }]);
  });
});

it("I15: refuses bodies that are no message: broken, of another type, nested without end, with __proto__", async () => {
  let count = 0;
  await using it = await open({
    publish: async () => {
      count += 1;
      return {};
    },
  });
  const post = async (body: string | Uint8Array<ArrayBuffer>, type: string) => {
    const response = await fetch(it.url("Publish"), {
      method: "POST",
      body,
      headers: { ...headers, "content-type": type },
    });
    return { status: response.status, text: await response.text() };
  };
  const json = "application/json";
  for (const body of [
    "{",
    "[]",
    '{"stream": 7}',
    "[".repeat(1_000_000),
    `{"stream":"${stream}","message":{"payload":"!!"}}`,
  ]) {
    const { status, text } = await post(body, json);
    expect([body.slice(0, 20), status]).toEqual([body.slice(0, 20), 400]);
    const { code, details } = JSON.parse(text) as { code: string; details: { type: string }[] };
    expect(code).toBe("invalid_argument");
    expect(details.filter(({ type }) => type === "google.rpc.ErrorInfo")).toHaveLength(1);
  }
  expect((await post(new Uint8Array([0xff, 0xff]), "application/proto")).status).toBe(400);
  expect((await post("{}", "text/html")).status).toBe(415);
  expect(count).toBe(0);
  const hostile = `{"__proto__": {"stream": "x"}, "constructor": 1, "stream": "${stream}", "message": {}}`;
  expect(await post(hostile, json)).toEqual({ status: 200, text: "{}" });
  expect(({} as { stream?: string }).stream).toBeUndefined();
});

it("answers an unknown path in the protocol in which it was asked", async () => {
  await using it = await open({});
  const response = await fetch(it.url("Publsh"), {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json" },
  });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({
    code: "unimplemented",
    message: expect.stringContaining("did you mean /greco.dataplane.v1.IngressService/Publish?") as string,
    details: [{ type: "google.rpc.ErrorInfo" }],
  });
  const web = await fetch(it.url("Publsh"), {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto" },
  });
  expect(web.status).toBe(200);
  expect(web.headers.get("grpc-status")).toBe("12");
});

it("serves only the methods that it is told to", async () => {
  await using it = await open({ publish: async () => ({}) }, { methods: ({ name }) => name !== "Publish" });
  const client = createClient(
    IngressService,
    createConnectTransport({ baseUrl: it.baseUrl, httpVersion: "1.1" }),
  );
  expect((await failure(client.publish({ stream, message: {} }, { headers }))).code).toBe(Code.Unimplemented);
});

it("lets a page of another origin call only when that origin is listed", async () => {
  const good = "https://console.example";
  await using it = await open({ publish: async () => ({}) }, { origins: [good] });
  const preflight = (origin: string) =>
    fetch(it.url("Publish"), {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      },
    });
  const allowed = await preflight(good);
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get("access-control-allow-origin")).toBe(good);
  expect(allowed.headers.get("access-control-allow-headers")).toContain("authorization");
  const refused = await preflight("https://evil.example");
  expect(refused.status).toBe(403);
  expect(refused.headers.get("access-control-allow-origin")).toBeNull();
  const body = toBinary(PublishRequestSchema, create(PublishRequestSchema, { stream, message: {} }));
  const call = await fetch(it.url("Publish"), {
    method: "POST",
    body: new Uint8Array(body),
    headers: { ...headers, origin: good, "content-type": "application/proto" },
  });
  expect([call.status, call.headers.get("access-control-allow-origin")]).toEqual([200, good]);
});

it("ends streams of both ports when it is disposed", async () => {
  const opened = await open(
    {
      subscribe: async function* (_request, context) {
        yield { entries: [] };
        await once(context.signal, "abort");
        throw context.signal.reason as Error;
      },
    },
    {},
    { authority: trustingAuthority() },
  );
  const client = createClient(
    IngressService,
    createConnectTransport({ baseUrl: opened.baseUrl, httpVersion: "1.1" }),
  );
  let disposed: PromiseLike<void> | undefined;
  const reading = (async () => {
    for await (const _each of client.subscribe({ stream })) disposed = opened[Symbol.asyncDispose]();
  })();
  const error = await failure(reading);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "SERVICE_STOPPING" }]);
  await disposed;
  expect((await failure(client.publish({ stream, message: {} }))).code).toBe(Code.Unavailable);
});

it("says which of the two ports is taken, and leaves neither open", async () => {
  await using it = await open({});
  const taken = Number(new URL(it.baseUrl).port);
  await expect(open({}, { port: taken })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${taken}: choose another port`,
  );
});
