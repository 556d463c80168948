/** Between the contract's messages and what is inside (STYLE 1). */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  EntrySchema,
  PublishResponseSchema,
  PublishResultSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import { Entry_Kind } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import type { Epoch } from "@greco/domain/model";
import { codeOf, fault, Fault } from "@greco/service-kit";
import type { Outcome, Published } from "./publish-order.ts";

/** int64 → number; what does not fit cannot be meant. */
export function integer(value: bigint, field: string): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  const description = `must be at most ${Number.MAX_SAFE_INTEGER}`;
  throw fault.invalid("OUT_OF_RANGE", `${field} ${description}`, [{ field, description }]);
}

export function publishedToWire({ place, currentEpoch, duplicate }: Published) {
  return {
    position: { lane: place.lane, seq: BigInt(place.seq) },
    epoch: BigInt(place.epoch),
    currentEpoch: BigInt(currentEpoch),
    duplicate,
  } satisfies MessageInitShape<typeof PublishResponseSchema>;
}

export function outcomeToWire(outcome: Outcome) {
  if (!(outcome instanceof Fault))
    return {
      outcome: { case: "published" as const, value: publishedToWire(outcome) },
    } satisfies MessageInitShape<typeof PublishResultSchema>;
  return {
    outcome: {
      case: "failure" as const,
      value: {
        code: codeOf(outcome),
        reason: outcome.reason,
        message: outcome.message,
        fieldPath: outcome.violations[0]?.field ?? "",
        retryAfterMs: BigInt(Math.ceil(outcome.retryAfterMs ?? 0)),
      },
    },
  } satisfies MessageInitShape<typeof PublishResultSchema>;
}

export function entryToWire(lane: LaneId, entry: Entry): MessageInitShape<typeof EntrySchema> {
  const common = {
    position: { lane, seq: BigInt(entry.seq) },
    epoch: BigInt(entry.epoch),
    appendTime: timestampFromMs(entry.appendedAtMs),
  };
  const source = entry.source && {
    query: entry.source.query,
    position: { lane: entry.source.lane, seq: BigInt(entry.source.seq) },
    index: "index" in entry.source ? entry.source.index : 0,
  };
  if (entry.kind === "marker")
    return { ...common, kind: Entry_Kind.MARKER, ...(source === undefined ? {} : { source }) };
  return {
    ...common,
    kind: Entry_Kind.DATA,
    payload: entry.payload,
    key: entry.key,
    ...(source === undefined ? {} : { source }),
    ...(entry.producer === undefined
      ? {}
      : { producerId: entry.producer.id, producerSeq: BigInt(entry.producer.seq) }),
  };
}

export function endToWire(lane: LaneId, end: Seq, epoch: Epoch): MessageInitShape<typeof EntrySchema> {
  return { position: { lane, seq: BigInt(end) }, epoch: BigInt(epoch), kind: Entry_Kind.END };
}
