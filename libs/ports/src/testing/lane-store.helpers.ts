/** Lanes and entries for the lane store's suites. */
import type { DataEntry, Entry, LaneId, LaneInfo, MarkerEntry, Seq, WriterId } from "@greco/domain/lane";
import type { LedgerEntry } from "@greco/domain/epoch";
import type { CandidateId, EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { LaneStore } from "../lane-store.ts";
import { bytes, noAbort } from "./harness.ts";

export const model = "flights" as ModelId;
export const otherModel = "other" as ModelId;
export const stream = "stream/flights@3" as EntityIdentity;
export const query = "query/late-flights@3" as EntityIdentity;
export const lane = "lane-1" as LaneId;
export const writer = "ingress-1" as WriterId;

export const at = (seq: number): Seq => seq as Seq;
export const epochOf = (epoch: number): Epoch => epoch as Epoch;

export function laneInfo(over: Partial<LaneInfo> = {}): LaneInfo {
  return { model, id: lane, stream, writer, registeredAtMs: 1_700_000_000_000.5, ...over };
}

export function data(seq: number, value = `value ${seq}`, epoch = 1): DataEntry {
  return {
    kind: "data",
    seq: at(seq),
    epoch: epochOf(epoch),
    appendedAtMs: 1_700_000_000_000 + seq,
    key: `key ${seq % 3}`,
    payload: bytes(JSON.stringify({ value })),
  };
}

export function marker(seq: number, epoch: number): MarkerEntry {
  return { kind: "marker", seq: at(seq), epoch: epochOf(epoch), appendedAtMs: 1_700_000_000_000 + seq };
}

export function ledgerEntry(epoch: number, over: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    model,
    epoch: epochOf(epoch),
    candidate: `candidate-${epoch}` as CandidateId,
    scope: [stream, "stream/epochs@0" as EntityIdentity],
    bindings: [
      {
        entity: query,
        candidate: `candidate-${epoch}` as CandidateId,
        hash: "ab".repeat(32),
        removed: false,
      },
      { entity: stream, removed: true },
    ],
    committedAtMs: 1_700_000_000_000,
    ...over,
  };
}

export function append(store: LaneStore, ...entries: Entry[]): Promise<void> {
  return store.append(model, [{ lane, entries }], noAbort);
}

export async function seqsFrom(store: LaneStore, fromSeq = 1, limit = 1_000): Promise<number[]> {
  return (await store.read(model, lane, at(fromSeq), limit, noAbort)).entries.map((entry) => entry.seq);
}

export async function payloadAt(store: LaneStore, seq: number): Promise<string | undefined> {
  const [entry] = (await store.read(model, lane, at(seq), 1, noAbort)).entries;
  return entry?.kind === "data" ? new TextDecoder().decode(entry.payload) : entry?.kind;
}
