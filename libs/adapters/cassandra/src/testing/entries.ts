/** Lanes and entries for this adapter's tests. */
import type { DataEntry, LaneId, LaneInfo, Seq, WriterId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";

export function dataEntry(seq: number, value = `value ${seq}`): DataEntry {
  return {
    kind: "data",
    seq: seq as Seq,
    epoch: 1 as Epoch,
    appendedAtMs: 1_700_000_000_000 + seq,
    key: `key ${seq % 3}`,
    payload: new TextEncoder().encode(JSON.stringify({ value })),
  };
}

export function laneInfoOf(model: ModelId, id: LaneId, over: Partial<LaneInfo> = {}): LaneInfo {
  return {
    model,
    id,
    stream: "stream/flights@3" as EntityIdentity,
    writer: "ingress-1" as WriterId,
    registeredAtMs: 1_700_000_000_000,
    ...over,
  };
}
