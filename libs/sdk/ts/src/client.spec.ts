import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { fault, systemClock, type CallContext } from "@greco/service-kit";
import { expect, it } from "vitest";
import { clientOn, createClient } from "./client.ts";
import { connect } from "./connection.ts";
import { never as signal, open, serveIngress } from "./testing/ingress-server.ts";
import { tokenFromFile } from "./token-file.ts";

const stream = "models/m/streams/s";
const request = { stream, message: {} };

it("calls a unary method and decodes its answer", async () => {
  await using it = await open({
    publish: async ({ stream: name }, { caller }) => ({
      position: { lane: `${caller.subject} ${name}`, seq: 7n },
    }),
  });
  const answer = await it.client.publish({ stream, message: { key: "k" } }, { signal });
  expect(answer.position).toMatchObject({ lane: `ada ${stream}`, seq: 7n });
});

it("decodes a fault with all its details", async () => {
  const faults = [
    fault.exhausted("INGRESS_FULL", "full: wait 250 ms", 250, { metadata: { queue: "7" } }),
    fault.invalid("BAD", "bad", [{ field: "message.key", description: "too odd" }]),
    fault.precondition("VETOED", "vetoed", [
      { type: "UNKNOWN_FIELD", subject: "query/q", description: "no such field" },
    ]),
  ];
  await using it = await open({
    publish: () => Promise.reject(faults.shift() ?? new Error("called too often")),
  });
  const none = { violations: [], preconditions: [], metadata: {}, retryAfterMs: undefined };
  await expect(it.client.publish(request, { signal })).rejects.toMatchObject({
    ...none,
    name: "GrecoError",
    code: "RESOURCE_EXHAUSTED",
    reason: "INGRESS_FULL",
    message: "full: wait 250 ms",
    retryAfterMs: 250,
    metadata: { queue: "7" },
  });
  await expect(it.client.publish(request, { signal })).rejects.toMatchObject({
    ...none,
    code: "INVALID_ARGUMENT",
    violations: [{ field: "message.key", description: "too odd" }],
  });
  await expect(it.client.publish(request, { signal })).rejects.toMatchObject({
    ...none,
    code: "FAILED_PRECONDITION",
    preconditions: [{ type: "UNKNOWN_FIELD", subject: "query/q", description: "no such field" }],
  });
});

it("streams responses only as fast as they are taken, and stops the handler when it is left", async () => {
  let sent = 0;
  const left = Promise.withResolvers<unknown>();
  await using it = await open({
    subscribe: async function* (_request, context) {
      try {
        for (;;) {
          sent += 1;
          yield { entries: [{ payload: new Uint8Array(65_536) }] };
        }
      } finally {
        left.resolve(context.signal.reason);
      }
    },
  });
  let received = 0;
  for await (const _each of it.client.subscribe({ stream }, { signal })) {
    received += 1;
    if (received === 20) break;
  }
  expect(await left.promise).toMatchObject({ kind: "cancelled" });
  expect(sent).toBeLessThan(200);
});

it("answers a bidirectional stream in order", async () => {
  await using it = await open({
    publishBatches: async function* (requests) {
      for await (const { batchId } of requests) yield { batchId };
    },
  });
  const ids: bigint[] = [];
  for await (const { batchId } of it.client.publishBatches(batches(1000), { signal })) ids.push(batchId);
  expect(ids).toEqual(Array.from({ length: 1000 }, (_, i) => BigInt(i + 1)));
});

async function* batches(count: number, size = 1) {
  for (let i = 1; i <= count; i += 1)
    yield { stream, batchId: BigInt(i), messages: [{ payload: new Uint8Array(size) }] };
}

it("pulls requests only as fast as the server reads them", async () => {
  let [pulled, read, furthestAhead] = [0, 0, 0];
  await using it = await open({
    publishBatches: async function* (requests, context) {
      for await (const { batchId } of requests) {
        read += 1;
        // A slow handler: whoever does not wait for it is 300 ahead before it has read ten.
        await systemClock.sleep(1, context.signal);
        yield { batchId };
      }
    },
  });
  async function* counted() {
    for await (const batch of batches(300, 65_536)) {
      pulled += 1;
      furthestAhead = Math.max(furthestAhead, pulled - read);
      yield batch;
    }
  }
  let answered = 0;
  for await (const _each of it.client.publishBatches(counted(), { signal })) answered += 1;
  expect(answered).toBe(300);
  expect(furthestAhead).toBeLessThan(100);
});

it("ends a bidirectional stream whose requests fail, with their error, at the server too", async () => {
  const answered = Promise.withResolvers<void>();
  const handled = Promise.withResolvers<void>();
  await using it = await open({
    publishBatches: async function* (requests) {
      try {
        for await (const { batchId } of requests) yield { batchId };
      } finally {
        handled.resolve();
      }
    },
  });
  async function* failing() {
    yield* batches(3);
    await answered.promise;
    throw new Error("no more batches");
  }
  const reading = (async () => {
    for await (const _each of it.client.publishBatches(failing(), { signal })) answered.resolve();
  })();
  await expect(reading).rejects.toThrow("no more batches");
  await handled.promise;
});

it("closes the source of requests when the server ends first", async () => {
  await using it = await open({
    publishBatches: async function* (requests) {
      for await (const { batchId } of requests) {
        yield { batchId };
        throw fault.precondition("STREAM_REMOVED", "gone", []);
      }
    },
  });
  const closed = Promise.withResolvers<void>();
  async function* endless() {
    try {
      for (;;) yield* batches(1);
    } finally {
      closed.resolve();
    }
  }
  const reading = (async () => {
    for await (const _each of it.client.publishBatches(endless(), { signal })) continue;
  })();
  await expect(reading).rejects.toMatchObject({ reason: "STREAM_REMOVED" });
  await closed.promise;
});

it("aborts the handler at the caller's deadline and when the caller aborts", async () => {
  const reasons: unknown[] = [];
  const untilAborted = async (_request: unknown, context: CallContext) => {
    await once(context.signal, "abort");
    reasons.push(context.signal.reason);
    throw context.signal.reason as Error;
  };
  await using it = await open({ publish: untilAborted });
  await expect(it.client.publish(request, { signal, timeoutMs: 50 })).rejects.toMatchObject({
    code: "DEADLINE_EXCEEDED",
  });
  const controller = new AbortController();
  const call = it.client.publish(request, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(call).rejects.toThrow("enough");
  await it.server[Symbol.asyncDispose]();
  expect(reasons[0]).toMatchObject({ kind: "deadline" });
});

it("cancels what is under way when its connection is disposed, and says so", async () => {
  const started = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<unknown>();
  await using it = await open({
    publish: async (_request, context) => {
      started.resolve();
      await once(context.signal, "abort");
      cancelled.resolve(context.signal.reason);
      throw context.signal.reason as Error;
    },
  });
  const call = it.client.publish(request, { signal });
  await started.promise;
  await it.client[Symbol.asyncDispose]();
  await it.client[Symbol.asyncDispose]();
  await expect(call).rejects.toMatchObject({ code: "CANCELLED", reason: "CONNECTION_CLOSED" });
  expect(await cancelled.promise).toMatchObject({ kind: "cancelled" });
  await expect(it.client.publish(request, { signal })).rejects.toMatchObject({ reason: "CONNECTION_CLOSED" });
});

it("repeats a read while the service is unavailable, and never a write", async () => {
  const calls = { listStreams: 0, publish: 0 };
  const unavailable = fault.unavailable("STORE_UNAVAILABLE", "not now", { retryAfterMs: 1 });
  await using it = await open({
    listStreams: async () => {
      calls.listStreams += 1;
      if (calls.listStreams < 3) throw unavailable;
      return { nextPageToken: "done" };
    },
    publish: async () => {
      calls.publish += 1;
      throw unavailable;
    },
  });
  expect(await it.client.listStreams({ parent: "models/m" }, { signal })).toMatchObject({
    nextPageToken: "done",
  });
  await expect(it.client.publish(request, { signal })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(calls).toEqual({ listStreams: 3, publish: 1 });
});

it("gives a read up after its attempts, and at once when it is refused for another reason", async () => {
  let calls = 0;
  const faults = [
    fault.unavailable("DOWN", "down"),
    fault.unavailable("DOWN", "down"),
    fault.notFound("NONE", "m", "none"),
  ];
  await using it = await open(
    {
      listStreams: async () => {
        calls += 1;
        throw faults.shift() ?? new Error("called too often");
      },
    },
    { reads: { attempts: 2, initialMs: 1 } },
  );
  await expect(it.client.listStreams({ parent: "models/m" }, { signal })).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
  expect(calls).toBe(2);
  await expect(it.client.listStreams({ parent: "models/m" }, { signal })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
  expect(calls).toBe(3);
});

it("says who does not answer and where, not what grpc-js writes of it", async () => {
  await using client = createClient(IngressService, { address: "127.0.0.1:1", reads: { attempts: 1 } });
  await expect(client.listStreams({ parent: "models/m" }, { signal })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "the ingress does not answer at 127.0.0.1:1 (ECONNREFUSED)",
    cause: expect.objectContaining({ code: 14 }) as unknown,
  });
});

it("finds a service again that restarts", async () => {
  const handlers = { listStreams: async () => ({ nextPageToken: "here" }) };
  const first = await serveIngress(handlers);
  await using client = createClient(IngressService, { address: first.address, reads: { initialMs: 20 } });
  await client.listStreams({ parent: "models/m" }, { signal });
  await first[Symbol.asyncDispose]();
  const call = client.listStreams({ parent: "models/m" }, { signal });
  await using _second = await serveIngress(handlers, first.port);
  expect(await call).toMatchObject({ nextPageToken: "here" });
});

it("asks for the token before each call, and reads a file again that has changed", async () => {
  await using server = await serveIngress({
    publish: async (_request, { caller }) => ({ position: { lane: caller.subject } }),
  });
  let asked = 0;
  await using connection = connect(server.address, { token: async () => `caller-${(asked += 1)}` });
  const client = clientOn(connection, IngressService);
  const lanes = [await client.publish(request, { signal }), await client.publish(request, { signal })];
  expect(lanes.map(({ position }) => position?.lane)).toEqual(["caller-1", "caller-2"]);

  const dir = await mkdtemp(join(tmpdir(), "greco-token-"));
  try {
    const file = join(dir, "token");
    await writeFile(file, "eve\n");
    const token = tokenFromFile(file);
    expect(await token()).toBe("eve");
    await writeFile(file, "mallory\n");
    await expect.poll(token, { timeout: 4_000 }).toBe("mallory");
  } finally {
    await rm(dir, { recursive: true });
  }
});
