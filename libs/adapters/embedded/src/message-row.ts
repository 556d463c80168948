/** A lane's entry as a row of `message`. */
import type { DataEntry, Entry, EntrySource, LaneId, Seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import type { SQLInputValue } from "node:sqlite";

export const MESSAGE_COLUMNS =
  "seq, epoch, appendedAtMs, key, payload, producer, producerSeq, sourceQuery, sourceLane, sourceSeq, sourceIndex";

export type MessageRow = {
  readonly seq: number;
  readonly epoch: number;
  readonly appendedAtMs: number;
  readonly key: string | null;
  readonly payload: Uint8Array | null;
  readonly producer: string | null;
  readonly producerSeq: number | null;
  readonly sourceQuery: string | null;
  readonly sourceLane: string | null;
  readonly sourceSeq: number | null;
  readonly sourceIndex: number | null;
};

export function toColumns(entry: Entry): SQLInputValue[] {
  const data = entry.kind === "data" ? entry : undefined;
  const source: Partial<EntrySource> | undefined = entry.source;
  return [
    entry.seq,
    entry.epoch,
    entry.appendedAtMs,
    data?.key ?? null,
    data?.payload ?? null,
    data?.producer?.id ?? null,
    data?.producer?.seq ?? null,
    source?.query ?? null,
    source?.lane ?? null,
    source?.seq ?? null,
    source?.index ?? null,
  ];
}

function sourceOf(row: MessageRow): Omit<EntrySource, "index"> | undefined {
  if (row.sourceQuery === null) return undefined;
  return {
    query: row.sourceQuery as EntityIdentity,
    lane: row.sourceLane as LaneId,
    seq: row.sourceSeq as Seq,
  };
}

export function toEntry(row: MessageRow): Entry {
  const base = { seq: row.seq as Seq, epoch: row.epoch as Epoch, appendedAtMs: row.appendedAtMs };
  const source = sourceOf(row);
  if (row.key === null) return { kind: "marker", ...base, ...(source === undefined ? {} : { source }) };
  const data: DataEntry = {
    kind: "data",
    ...base,
    key: row.key,
    payload: row.payload ?? new Uint8Array(),
    ...(row.producer === null ? {} : { producer: { id: row.producer, seq: row.producerSeq as number } }),
    ...(source === undefined ? {} : { source: { ...source, index: row.sourceIndex as number } }),
  };
  return data;
}

function equal(a: SQLInputValue, b: SQLInputValue): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return a === b;
}

/** Whether a row holds exactly this entry (R1). */
export function holds(row: MessageRow, entry: Entry): boolean {
  const stored = toColumns(toEntry(row));
  return toColumns(entry).every((value, at) => equal(value, stored[at] as SQLInputValue));
}
