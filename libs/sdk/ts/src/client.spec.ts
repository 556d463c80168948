import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { createLog, fault, serve, systemClock } from "@greco/service-kit";
import { implementPartly, trustingAuthority } from "@greco/service-kit/testing";
import { expect, it } from "vitest";
import { createClient } from "./client.ts";

const log = createLog({ service: "test", level: "silent" });
const signal = new AbortController().signal;

async function open(handlers: Parameters<typeof implementPartly<typeof IngressService>>[1]) {
  const server = await serve(
    {
      services: [implementPartly(IngressService, handlers)],
      listen: { host: "127.0.0.1", port: 0 },
      authority: trustingAuthority(),
      log,
      clock: systemClock,
    },
    signal,
  );
  const client = createClient(IngressService, { address: server.address, token: "ada" });
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

it("calls a unary method and decodes its answer", async () => {
  await using it = await open({
    publish: async (request, { caller }) => ({
      position: { lane: `${caller.subject}.${request.stream}`, seq: 7n },
      epoch: 3n,
    }),
  });
  const answer = await it.client.publish({ stream: "models/m/streams/s", message: { key: "k" } }, { signal });
  expect(answer.position).toMatchObject({ lane: "ada.models/m/streams/s", seq: 7n });
});

it("decodes a fault with its details", async () => {
  await using it = await open({
    publish: async () => {
      throw fault.exhausted("INGRESS_FULL", "full: wait", 250);
    },
  });
  await expect(
    it.client.publish({ stream: "models/m/streams/s", message: {} }, { signal }),
  ).rejects.toMatchObject({
    name: "GrecoError",
    code: "RESOURCE_EXHAUSTED",
    reason: "INGRESS_FULL",
    message: "full: wait",
    retryAfterMs: 250,
  });
});

it("streams responses as fast as they are taken, and stops the handler when left", async () => {
  let sent = 0;
  const left = Promise.withResolvers<void>();
  await using it = await open({
    subscribe: async function* (_request, context) {
      try {
        for (;;) {
          sent += 1;
          yield { entries: [{ payload: new Uint8Array(65_536) }] };
        }
      } finally {
        if (context.signal.aborted) left.resolve();
      }
    },
  });
  let received = 0;
  for await (const _each of it.client.subscribe({ stream: "models/m/streams/s" }, { signal })) {
    received += 1;
    if (received === 20) break;
  }
  await left.promise;
  expect(sent).toBeLessThan(200);
});

it("answers a bidirectional stream in order", async () => {
  await using it = await open({
    publishBatches: async function* (requests) {
      for await (const { batchId } of requests) yield { batchId };
    },
  });
  async function* batches() {
    for (let i = 1n; i <= 1000n; i += 1n)
      yield { stream: "models/m/streams/s", batchId: i, messages: [{ key: "k" }] };
  }
  const ids: bigint[] = [];
  for await (const { batchId } of it.client.publishBatches(batches(), { signal })) ids.push(batchId);
  expect(ids).toEqual(Array.from({ length: 1000 }, (_, i) => BigInt(i + 1)));
});

it("aborts the handler at the caller's deadline and when the caller aborts", async () => {
  const reasons: unknown[] = [];
  await using it = await open({
    publish: (_request, context) =>
      new Promise((_resolve, reject) => {
        context.signal.addEventListener("abort", () => {
          reasons.push(context.signal.reason);
          reject(context.signal.reason as Error);
        });
      }),
  });
  const request = { stream: "models/m/streams/s", message: {} };
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
