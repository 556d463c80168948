import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type PublishBatchesRequestSchema,
  PublishBatchesResponseSchema,
  type PublishBatchesResponse,
  type PublishResultSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import { expect, it } from "vitest";
import { Publisher } from "./publisher.ts";

type Batch = MessageInitShape<typeof PublishBatchesRequestSchema>;
type Result = MessageInitShape<typeof PublishResultSchema>;

const OPTIONS = {
  stream: "models/m/streams/s",
  producer: undefined,
  rate: undefined,
  atLeastEpoch: 0n,
  ackTimeoutMs: 60_000,
};
const decoder = new TextDecoder();

/** An ingress that answers each message as the script says. */
function scripted(answer: (text: string) => Result) {
  const seen: { text: string; producerSeq: bigint }[] = [];
  return {
    seen,
    async *publishBatches(batches: AsyncIterable<Batch>): AsyncGenerator<PublishBatchesResponse> {
      for await (const { batchId, messages } of batches) {
        const texts = (messages ?? []).map((message) => decoder.decode(message.payload));
        (messages ?? []).forEach((message, index) =>
          seen.push({ text: texts[index] ?? "", producerSeq: message.producerSeq ?? 0n }),
        );
        yield create(PublishBatchesResponseSchema, { batchId: batchId ?? 0n, results: texts.map(answer) });
      }
    },
  };
}

const published = (lane: string, epoch: bigint): Result => ({
  outcome: { case: "published", value: { position: { lane, seq: 1n }, epoch } },
});

async function* lines(...texts: string[]): AsyncGenerator<string> {
  await Promise.resolve();
  yield* texts;
}

const never = new AbortController().signal;

it("counts what was acknowledged, in which lanes and epochs, and leaves blank lines out", async () => {
  const ingress = scripted((text) => published(`lane-${text}`, text === "1" ? 1n : 2n));
  const publisher = new Publisher(ingress, OPTIONS);
  await publisher.run(lines("1", "", "  ", "2"), never);
  expect(ingress.seen.map(({ text }) => text)).toEqual(["1", "2"]);
  expect(publisher).toMatchObject({ acknowledged: 2, refused: 0, firstFailure: undefined });
  expect([...publisher.lanes]).toEqual(["lane-1", "lane-2"]);
  expect([...publisher.epochs]).toEqual([1, 2]);
});

it("names the first refused line by its number in the file", async () => {
  const failure = (message: string): Result => ({
    outcome: { case: "failure", value: { code: 3, reason: "PAYLOAD_INVALID", message } },
  });
  const publisher = new Publisher(
    scripted((text) => (text === "bad" ? failure("messages[1].payload: not JSON") : published("a", 1n))),
    OPTIONS,
  );
  await publisher.run(lines("1", "", "bad", "bad"), never);
  expect(publisher).toMatchObject({
    acknowledged: 1,
    refused: 2,
    firstFailure: { message: "line 3: payload: not JSON [PAYLOAD_INVALID]", reason: "PAYLOAD_INVALID" },
  });
});

it("sends again what the ingress had no room for, under the same producer number", async () => {
  let full = true;
  const ingress = scripted((text) => {
    if (text !== "2" || !full) return published("a", 1n);
    full = false;
    return {
      outcome: { case: "failure", value: { reason: "INGRESS_FULL", message: "full", retryAfterMs: 1n } },
    };
  });
  const publisher = new Publisher(ingress, { ...OPTIONS, producer: "me" });
  await publisher.run(lines("1", "2", "3"), never);
  expect(ingress.seen).toEqual([
    { text: "1", producerSeq: 1n },
    { text: "2", producerSeq: 2n },
    { text: "3", producerSeq: 3n },
    { text: "2", producerSeq: 2n },
  ]);
  expect(publisher).toMatchObject({ acknowledged: 3, repeated: 1, refused: 0 });
});

it("fails when no acknowledgement comes for as long as it may take", async () => {
  const silent = {
    // As the SDK's client: an abort rejects with its reason.
    async *publishBatches(
      batches: AsyncIterable<Batch>,
      { signal }: { readonly signal: AbortSignal },
    ): AsyncGenerator<PublishBatchesResponse> {
      for await (const { batchId } of batches) {
        if (batchId === undefined) yield create(PublishBatchesResponseSchema, {});
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
        );
      }
    },
  };
  const publisher = new Publisher(silent, { ...OPTIONS, ackTimeoutMs: 20 });
  await expect(publisher.run(lines("1", "2"), never)).rejects.toThrow(
    "no acknowledgement for 0.02 s; 2 messages are stored or not",
  );
});

it("keeps a bounded number under way", async () => {
  let sent = 0;
  let answered = 0;
  let most = 0;
  const ingress = {
    async *publishBatches(batches: AsyncIterable<Batch>): AsyncGenerator<PublishBatchesResponse> {
      const waiting: Batch[] = [];
      const answer = (): PublishBatchesResponse => {
        const { batchId, messages } = waiting.shift() ?? {};
        answered += messages?.length ?? 0;
        return create(PublishBatchesResponseSchema, {
          batchId: batchId ?? 0n,
          results: (messages ?? []).map(() => published("a", 1n)),
        });
      };
      const pull = batches[Symbol.asyncIterator]();
      let next = pull.next();
      for (;;) {
        // The sender has stopped when nothing comes for a turn of the event loop.
        const got = await Promise.race([
          next,
          new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))),
        ]);
        if (got === undefined) yield answer();
        else if (got.done === true) break;
        else {
          waiting.push(got.value);
          sent += got.value.messages?.length ?? 0;
          most = Math.max(most, sent - answered);
          next = pull.next();
        }
      }
      while (waiting.length > 0) yield answer();
    },
  };
  const publisher = new Publisher(ingress, OPTIONS);
  await publisher.run(lines(...Array.from({ length: 10_000 }, (_, n) => String(n))), never);
  expect(publisher.acknowledged).toBe(10_000);
  expect(most).toBeLessThanOrEqual(2_100);
  expect(most).toBeGreaterThanOrEqual(2_000);
});
