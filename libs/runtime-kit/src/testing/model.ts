/** Small models for specs: a ledger by hand, duties by name, inputs by letters. */
import type { LedgerEntry } from "@greco/domain/epoch";
import { EpochIndex } from "@greco/domain/epoch";
import type { DataEntry, MarkerEntry } from "@greco/domain/lane";
import { laneId, seq } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { candidateId, epoch, modelId } from "@greco/domain/model";
import type { Duty } from "../duty.ts";

export const S = "stream/s@1" as EntityIdentity;
export const T = "stream/t@1" as EntityIdentity;
export const U = "stream/u@1" as EntityIdentity;
export const Q = "query/q@1" as EntityIdentity;
export const INPUT = laneId("in");

/** Epochs 1, 2, 3 … with these scopes. */
export function ledgerOf(...scopes: readonly (readonly EntityIdentity[])[]): EpochIndex {
  const index = new EpochIndex();
  for (const scope of scopes) index.add(ledgerEntry(index.newest + 1, scope));
  return index;
}

export function ledgerEntry(at: number, scope: readonly EntityIdentity[]): LedgerEntry {
  const candidate = candidateId(`c${at}`);
  return { model: modelId("m"), epoch: epoch(at), candidate, scope, bindings: [], committedAtMs: 0 };
}

export function duty(name: string, to: EntityIdentity = T, more: Partial<Duty> = {}): Duty {
  return { ...outsideDuty(name), to: { stream: to }, ...more };
}

/** Of a query that acts on the outside only. */
export function outsideDuty(name: string): Duty {
  return {
    program: { id: name, query: "{}", tables: {} },
    onError: { retries: 0, then: "dead-letter" },
  };
}

export function data(at: number, of: number, text = `m${at}`): DataEntry {
  const payload = new TextEncoder().encode(text);
  return { kind: "data", seq: seq(at), epoch: epoch(of), appendedAtMs: 0, key: "", payload };
}

export function marker(at: number, of: number): MarkerEntry {
  return { kind: "marker", seq: seq(at), epoch: epoch(of), appendedAtMs: 0 };
}
