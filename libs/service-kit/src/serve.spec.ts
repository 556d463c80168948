import { create, toBinary } from "@bufbuild/protobuf";
import {
  IngressService,
  PublishRequestSchema,
  SubscribeRequestSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import { invariant } from "@greco/domain/model";
import { StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { gzipSync } from "node:zlib";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp } from "node:net";
import { once } from "node:events";
import { expect, it } from "vitest";
import { systemClock } from "./clock.ts";
import { fault } from "./fault.ts";
import type { Handlers } from "./handlers.ts";
import { createLog } from "./log.ts";
import { serve, type ServeOptions } from "./serve.ts";
import { implementPartly, rawCall, trustingAuthority } from "./testing/index.ts";

const signal = new AbortController().signal;
const service = "/greco.dataplane.v1.IngressService";

type IngressHandlers = Partial<Handlers<typeof IngressService>>;

async function open(handlers: IngressHandlers, options: Partial<ServeOptions> = {}) {
  const lines: string[] = [];
  const server = await serve(
    {
      services: [implementPartly(IngressService, handlers)],
      listen: { host: "127.0.0.1", port: 0 },
      authority: trustingAuthority(),
      log: createLog({ service: "test", write: (line) => lines.push(line) }),
      clock: systemClock,
      ...options,
    },
    signal,
  );
  return {
    server,
    lines,
    call: (method: string, bytes: Uint8Array, headers: Record<string, string> = {}) =>
      rawCall({ address: server.address, path: `${service}/${method}`, bytes, headers }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const publishBytes = (payload = new Uint8Array()) =>
  toBinary(
    PublishRequestSchema,
    create(PublishRequestSchema, { stream: "models/m/streams/s", message: { payload } }),
  );

/** Counts what reaches the handler: a bad request must not. */
function counting(): { handlers: IngressHandlers; count: () => number } {
  let count = 0;
  return {
    count: () => count,
    handlers: {
      publish: async () => {
        count += 1;
        return {};
      },
    },
  };
}

it("I15: answers bytes that do not decode INVALID_ARGUMENT, with no effect", async () => {
  const { handlers, count } = counting();
  await using edge = await open(handlers);
  const bad = [
    new Uint8Array([0xff, 0xff, 0xff]),
    new Uint8Array([0x0a, 0x7f, 0x01]),
    // Invalid UTF-8 in a string.
    new Uint8Array([0x0a, 0x02, 0xc3, 0x28]),
    // A million groups, one in the other.
    new Uint8Array(1_000_000).fill(0x0b),
  ];
  for (const bytes of bad) {
    const answer = await edge.call("Publish", bytes);
    expect(answer).toMatchObject({ code: "INVALID_ARGUMENT", infos: [{ reason: "MALFORMED_REQUEST" }] });
    expect(answer.infos).toHaveLength(1);
  }
  expect(count()).toBe(0);
});

it("I15: names each field that breaks a rule of the contract, with no effect", async () => {
  const { handlers, count } = counting();
  await using edge = await open(handlers);
  const request = create(PublishRequestSchema, { stream: "models/M!/streams/s", atLeastEpoch: -1n });
  const answer = await edge.call("Publish", toBinary(PublishRequestSchema, request));
  expect(answer).toMatchObject({
    code: "INVALID_ARGUMENT",
    infos: [{ reason: "INVALID_FIELD", domain: "greco.dev" }],
    fields: ["stream", "message", "at_least_epoch"],
  });
  expect(answer.message).toContain("PublishRequest.stream");
  expect(count()).toBe(0);
});

it("I15: says how large a message may be, and does not read one that is larger", async () => {
  const { handlers, count } = counting();
  await using edge = await open(handlers);
  for (const size of [4 * 1024 * 1024, 20 * 1024 * 1024]) {
    const answer = await edge.call("Publish", publishBytes(new Uint8Array(size)));
    expect(answer).toMatchObject({ code: "RESOURCE_EXHAUSTED", infos: [{ reason: "MESSAGE_TOO_LARGE" }] });
    expect(answer.message).toContain("4194304 bytes: split it");
  }
  expect(count()).toBe(0);
});

it("I15: does not inflate a small message into a large one", async () => {
  const { handlers, count } = counting();
  await using edge = await open(handlers);
  await using session = await http2Session(edge.server.port);
  const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024));
  const headers = await session.post(`${service}/Publish`, "application/grpc", frame(bomb, 1), {
    "grpc-encoding": "gzip",
  });
  expect(headers["grpc-status"]).toBe("8");
  expect(headers["grpc-message"]).toContain("split%20it");
  expect(count()).toBe(0);
});

it("I15: answers an unknown method with the one that was meant", async () => {
  await using edge = await open({});
  expect(await edge.call("Publsh", new Uint8Array())).toMatchObject({
    code: "UNIMPLEMENTED",
    message: `no method ${service}/Publsh: did you mean ${service}/Publish?`,
    infos: [{ reason: "UNKNOWN_METHOD" }],
  });
  const other = await rawCall({ address: edge.server.address, path: "/a.B/C", bytes: new Uint8Array() });
  expect(other.message).toContain("this port serves greco.dataplane.v1.IngressService");
});

it("I15: refuses another content type, a malformed deadline, and what is no HTTP/2 at all, and goes on", async () => {
  const { handlers, count } = counting();
  await using edge = await open(handlers);
  {
    await using session = await http2Session(edge.server.port);
    expect((await session.post(`${service}/Publish`, "application/json", Buffer.from("{}")))[":status"]).toBe(
      415,
    );
    const late = await session.post(`${service}/Publish`, "application/grpc", frame(publishBytes()), {
      "grpc-timeout": "soon",
    });
    expect(late["grpc-status"]).toBe("3");
  }
  const socket = connectTcp(edge.server.port, "127.0.0.1");
  socket.end(Buffer.alloc(10_000, 0x5a));
  socket.resume();
  await once(socket, "close");
  expect(count()).toBe(0);
  expect((await edge.call("Publish", publishBytes())).code).toBe("OK");
});

it("keeps a fault within the trailers that clients take, whatever text it carries", async () => {
  await using edge = await open({
    publish: async () => {
      throw fault.invalid(
        "BAD",
        `\ud800 ${"ü".repeat(100_000)}`,
        Array.from({ length: 1000 }, (_, i) => ({
          field: `changes[${i}]`,
          description: "x\udfff".repeat(10_000),
        })),
        { metadata: { long: "y".repeat(100_000) } },
      );
    },
  });
  const answer = await edge.call("Publish", publishBytes());
  expect(answer).toMatchObject({ code: "INVALID_ARGUMENT", infos: [{ reason: "BAD" }] });
  expect(answer.fields.length).toBeGreaterThan(0);
});

it("answers what nobody foresaw INTERNAL with a correlation id, logs it once with its causes, and goes on", async () => {
  await using edge = await open({
    publish: async () => {
      throw new Error("outer, with a secret", { cause: new Error("root") });
    },
  });
  const answer = await edge.call("Publish", publishBytes());
  expect(answer).toMatchObject({ code: "INTERNAL", infos: [{ reason: "INTERNAL" }] });
  expect(answer.message).not.toContain("secret");
  const correlationId = answer.infos[0]?.metadata["correlationId"];
  expect(edge.lines).toHaveLength(1);
  expect(JSON.parse(edge.lines[0] ?? "")).toMatchObject({
    event: "call.failed",
    method: "greco.dataplane.v1.IngressService/Publish",
    correlationId,
    error: [{ message: "outer, with a secret" }, { message: "root", stack: expect.any(String) as string }],
  });
  expect((await edge.call("Publish", publishBytes())).code).toBe("INTERNAL");
});

it("ends the process on a broken invariant", async () => {
  const crashes: unknown[] = [];
  await using edge = await open(
    {
      publish: async () => {
        invariant(false, "I7: epochs in a lane only grow");
        return {};
      },
    },
    { crash: (error) => crashes.push(error) },
  );
  expect((await edge.call("Publish", publishBytes())).code).toBe("INTERNAL");
  expect(crashes).toEqual([expect.objectContaining({ message: "I7: epochs in a lane only grow" })]);
});

it("tells a store that is down from one whose answer was lost", async () => {
  const errors = [new StoreUnavailableError("down"), new StoreUnknownError("lost")];
  await using edge = await open({
    publish: async () => {
      throw errors.shift() ?? new Error("called a third time");
    },
  });
  expect(await edge.call("Publish", publishBytes())).toMatchObject({
    code: "UNAVAILABLE",
    infos: [{ reason: "STORE_UNAVAILABLE" }],
  });
  expect(await edge.call("Publish", publishBytes())).toMatchObject({
    code: "UNKNOWN",
    infos: [{ reason: "OUTCOME_UNKNOWN" }],
  });
  expect(edge.lines).toEqual([]);
});

it("waits for calls under way when it is disposed, and ends what never ends", async () => {
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  let streamReason: unknown;
  const edge = await open(
    {
      publish: async () => {
        started.resolve();
        await finish.promise;
        return { epoch: 5n };
      },
      subscribe: async function* (_request, context) {
        await once(context.signal, "abort");
        streamReason = context.signal.reason;
        context.signal.throwIfAborted();
      },
    },
    { limits: { streamDrainMs: 20, drainMs: 10_000 } },
  );
  const publish = edge.call("Publish", publishBytes());
  const request = create(SubscribeRequestSchema, { stream: "models/m/streams/s" });
  const subscribe = edge.call("Subscribe", toBinary(SubscribeRequestSchema, request));
  await started.promise;
  const disposed = edge.server[Symbol.asyncDispose]();
  expect(await subscribe).toMatchObject({ code: "UNAVAILABLE", infos: [{ reason: "SERVICE_STOPPING" }] });
  finish.resolve();
  expect((await publish).code).toBe("OK");
  await disposed;
  await edge.server[Symbol.asyncDispose]();
  expect(streamReason).toMatchObject({ kind: "unavailable" });
  expect((await edge.call("Publish", publishBytes())).code).toBe("UNAVAILABLE");
});

it("ends calls that outlast the limit when it is disposed", async () => {
  const started = Promise.withResolvers<void>();
  const edge = await open(
    {
      publish: async (_request, context) => {
        started.resolve();
        await once(context.signal, "abort");
        context.signal.throwIfAborted();
        return {};
      },
    },
    { limits: { streamDrainMs: 10, drainMs: 20 } },
  );
  const publish = edge.call("Publish", publishBytes());
  await started.promise;
  await edge.server[Symbol.asyncDispose]();
  expect(await publish).toMatchObject({ code: "UNAVAILABLE", infos: [{ reason: "SERVICE_STOPPING" }] });
});

it("says which port is taken", async () => {
  await using edge = await open({});
  await expect(open({}, { listen: { host: "127.0.0.1", port: edge.server.port } })).rejects.toThrow(
    `cannot listen on ${edge.server.address}: choose another port`,
  );
});

function frame(bytes: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

async function http2Session(port: number) {
  const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${port}`);
  await once(session, "connect");
  return {
    async post(path: string, type: string, body: Buffer, headers: Record<string, string> = {}) {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": type,
        te: "trailers",
        ...headers,
      });
      stream.end(body);
      stream.resume();
      let trailers: Record<string, unknown> = {};
      stream.on("trailers", (got: Record<string, unknown>) => (trailers = got));
      const [got] = (await once(stream, "response")) as [Record<string, unknown>];
      await once(stream, "close");
      return { ...got, ...trailers } as Record<string, unknown>;
    },
    async [Symbol.asyncDispose]() {
      session.close();
      await once(session, "close");
    },
  };
}
