/**
 * Batches with acknowledgements in the order of the requests. A batch is admitted when the one before it has its places,
 * so order holds; its acknowledgements are waited for later, many batches under way, a bounded number of them.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  PublishBatchesRequest,
  PublishBatchesResponseSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { LaneId } from "@greco/domain/lane";
import type { Clock } from "@greco/ports";
import { Fault } from "@greco/service-kit";
import { Merge } from "./merge.ts";
import type { IngressLimits } from "./limits.ts";
import type { Outcome, PublishOrder } from "./publish-order.ts";
import type { Publisher } from "./publisher.ts";
import { untilAborted } from "./waiting.ts";
import { outcomeToWire } from "./wire.ts";

type Admitted = {
  readonly batchId: bigint;
  readonly outcomes: readonly Promise<Outcome>[];
  /** For a batch without messages: where the producer goes on. */
  readonly lane?: LaneId;
};

export async function* publishBatches(
  { clock, limits }: { readonly clock: Clock; readonly limits: IngressLimits },
  publisher: Publisher,
  requests: AsyncIterable<PublishBatchesRequest>,
  orderFrom: (request: PublishBatchesRequest) => PublishOrder,
  subject: string,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof PublishBatchesResponseSchema>> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  // Bounded: when the client does not take its acknowledgements, or the store is slow, no more is read of it.
  const admitted = new Merge<Admitted>(clock, limits.batchesUnderWay);
  const admit = async (request: PublishBatchesRequest): Promise<Admitted["outcomes"]> => {
    try {
      return await publisher.admit(orderFrom(request), subject, stop);
    } catch (error) {
      // What is wrong with a batch is told in its results; the stream goes on.
      if (!(error instanceof Fault)) throw error;
      return request.messages.map(() => Promise.resolve(error));
    }
  };
  const iterator = requests[Symbol.asyncIterator]();
  const reading = (async () => {
    try {
      for (;;) {
        const next = await untilAborted(iterator.next(), stop);
        if (next.done === true) return admitted.end();
        const { batchId, messages } = next.value;
        if (messages.length > 0) {
          await admitted.put({ batchId, outcomes: await admit(next.value) }, 1, stop);
        } else {
          const lane = await publisher.place(orderFrom(next.value), subject, stop);
          await admitted.put({ batchId, outcomes: [], lane }, 1, stop);
        }
      }
    } catch (error) {
      admitted.fail(error);
    }
  })();
  try {
    for (
      let batches = await admitted.take(stop);
      batches !== undefined;
      batches = await admitted.take(stop)
    ) {
      for (const { batchId, outcomes, lane } of batches) {
        const results = await untilAborted(Promise.all(outcomes), stop);
        const place = lane === undefined ? {} : { producerPosition: { lane, seq: 0n } };
        yield { batchId, results: results.map(outcomeToWire), ...place };
      }
    }
  } finally {
    over.abort(new Error("the stream of batches is over"));
    admitted.stop();
    await reading;
    void iterator.return?.();
  }
}
