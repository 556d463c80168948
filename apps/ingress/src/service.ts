/** IngressService: the contract's calls, told to the parts that do them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Message,
  Producer,
  PublishBatchesRequest,
  SubscribeRequest,
  SubscribeResponseSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { laneId, seq } from "@greco/domain/lane";
import { epoch } from "@greco/domain/model";
import type { CallContext, ServiceImplementation } from "@greco/service-kit";
import { Fault, implement } from "@greco/service-kit";
import { publishBatches } from "./batches.ts";
import { deadLetter } from "./dead-letter.ts";
import type { Models } from "./models.ts";
import type { IngressContext } from "./options.ts";
import type { PublishMessage, PublishOrder } from "./publish-order.ts";
import { Publisher } from "./publisher.ts";
import { Status } from "./status.ts";
import { bindingOf, checkAccess, findStream, parentModel } from "./stream-names.ts";
import type { Delivery, SubscriptionOrder, SubscriptionStart } from "./subscription.ts";
import { Subscription } from "./subscription.ts";
import { untilAborted } from "./waiting.ts";
import { endToWire, entryToWire, integer, publishedToWire } from "./wire.ts";

export function ingressService(context: IngressContext, models: Models): ServiceImplementation {
  const publisher = new Publisher(context, models);
  const status = new Status();
  const hostOf = (parent: string, { signal }: CallContext) => models.get(parentModel(parent), signal);

  return implement(IngressService, {
    async publish(request, { caller, signal }) {
      const order: PublishOrder = {
        stream: request.stream,
        messages: [messageFrom(request.message, "message")],
        atLeastEpoch: integer(request.atLeastEpoch, "at_least_epoch"),
        producer: producerFrom(request.producer),
      };
      const [outcome] = await publisher.admit(order, caller.subject, signal);
      const result = await untilAborted(outcome ?? Promise.reject(new Error("no outcome")), signal);
      if (result instanceof Fault) throw result;
      return publishedToWire(result);
    },

    publishBatches: (requests, { caller, signal }) =>
      publishBatches(context, publisher, requests, orderFrom, caller.subject, signal),

    async *subscribe(request, { caller, signal }) {
      const target = await findStream(models, request.stream, signal);
      if (target.ref !== undefined)
        checkAccess(target, await bindingOf(target.host, target.ref, signal), caller.subject, "subscribe");
      const order = subscriptionFrom(request, context);
      for await (const deliveries of new Subscription(target, order).deliveries(signal))
        yield* responses(deliveries, context);
    },

    async listStreams(request, call) {
      const { items, nextPageToken } = await status.streams(
        await hostOf(request.parent, call),
        request,
        call.signal,
      );
      return { streams: [...items], nextPageToken };
    },

    async listLanes(request, call) {
      const { items, nextPageToken } = await status.lanes(
        await hostOf(request.parent, call),
        request,
        call.signal,
      );
      return { lanes: [...items], nextPageToken };
    },

    async listCrossings(request, call) {
      const { pageSize, pageToken } = request;
      const wanted = { pageSize, pageToken, epoch: integer(request.epoch, "epoch") };
      const page = await status.crossings(await hostOf(request.parent, call), wanted, call.signal);
      return { crossings: [...page.items], nextPageToken: page.nextPageToken };
    },

    async listEpochs(request, call) {
      const { pageSize, pageToken } = request;
      const host = await hostOf(request.parent, call);
      const wanted = { pageSize, pageToken, fromEpoch: integer(request.fromEpoch, "from_epoch") };
      const { items, nextPageToken } = status.epochs(host, wanted);
      return { epochs: [...items], nextPageToken };
    },

    async deadLetter(request, call) {
      const host = await hostOf(request.parent, call);
      const { query, reason, position } = request;
      const lane = laneId(position?.lane ?? "");
      const at = seq(integer(position?.seq ?? 0n, "position.seq"));
      await deadLetter(host, { query, reason, lane, seq: at }, call.caller.subject, call.signal);
      return {};
    },
  });
}

function messageFrom(message: Message | undefined, field: string): PublishMessage {
  return {
    payload: message?.payload ?? new Uint8Array(),
    key: message?.key ?? "",
    producerSeq: integer(message?.producerSeq ?? 0n, `${field}.producer_seq`),
    field,
  };
}

function producerFrom(producer: Producer | undefined): PublishOrder["producer"] {
  if (producer === undefined) return undefined;
  const { id, lastLane } = producer;
  return { id, lastLane, lastSeq: integer(producer.lastSeq, "producer.last_seq") };
}

function orderFrom(request: PublishBatchesRequest): PublishOrder {
  return {
    stream: request.stream,
    messages: request.messages.map((message, index) => messageFrom(message, `messages[${index}]`)),
    atLeastEpoch: integer(request.atLeastEpoch, "at_least_epoch"),
    producer: producerFrom(request.producer),
  };
}

function subscriptionFrom(request: SubscribeRequest, { limits }: IngressContext): SubscriptionOrder {
  const window = request.window === 0 ? limits.windowEntries : request.window;
  return { start: startFrom(request.start), bounded: request.bounded, window };
}

function startFrom(start: SubscribeRequest["start"]): SubscriptionStart {
  switch (start.case) {
    case "positions": {
      const positions = start.value.positions.map(
        (each, index) => [each.lane, seq(integer(each.seq, `positions.positions[${index}].seq`))] as const,
      );
      return { type: "positions", positions: new Map(positions) };
    }
    case "epoch":
      return { type: "epoch", epoch: epoch(Math.max(0, integer(start.value, "epoch"))) };
    case "end":
      return { type: "end" };
    case "beginning":
    case undefined:
      return { type: "beginning" };
  }
}

/** Deliveries cut into responses of bounded size. */
function* responses(
  deliveries: readonly Delivery[],
  { limits }: IngressContext,
): Generator<MessageInitShape<typeof SubscribeResponseSchema>> {
  let entries: ReturnType<typeof entryToWire>[] = [];
  let bytes = 0;
  for (const delivery of deliveries) {
    const wire =
      "end" in delivery
        ? [endToWire(delivery.lane, delivery.end, delivery.epoch)]
        : delivery.entries.map((entry) => entryToWire(delivery.lane, entry));
    for (const entry of wire) {
      const size = (entry.payload?.length ?? 0) + (entry.key?.length ?? 0);
      if (
        entries.length > 0 &&
        (entries.length >= limits.responseEntries || bytes + size > limits.responseBytes)
      ) {
        yield { entries };
        entries = [];
        bytes = 0;
      }
      entries.push(entry);
      bytes += size;
    }
  }
  if (entries.length > 0) yield { entries };
}
