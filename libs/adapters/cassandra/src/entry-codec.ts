/**
 * An entry as one value: version, length of the head, head as JSON, payload. One cell, so that of two contents for a seq
 * (which R1 forbids) one stands whole, never a mix.
 */
import type { Entry, Seq } from "@greco/domain/lane";

const VERSION = 1;
const FIXED = 5;

/** Short names: they stand in every row. */
type Head = {
  readonly e: number;
  readonly t: number;
  /** Absent: a marker. */
  readonly k?: string;
  readonly p?: readonly [string, number];
  readonly s?: readonly [query: string, lane: string, seq: number, index?: number];
};

function headOf(entry: Entry): Head {
  const { source } = entry;
  const common = {
    e: entry.epoch,
    t: entry.appendedAtMs,
    ...(source === undefined
      ? {}
      : {
          s:
            "index" in source
              ? ([source.query, source.lane, source.seq, source.index] as const)
              : ([source.query, source.lane, source.seq] as const),
        }),
  };
  if (entry.kind === "marker") return common;
  const { producer } = entry;
  return { ...common, k: entry.key, ...(producer === undefined ? {} : { p: [producer.id, producer.seq] }) };
}

export function encodeEntry(entry: Entry): Buffer {
  const head = Buffer.from(JSON.stringify(headOf(entry)), "utf8");
  const payload = entry.kind === "data" ? entry.payload : new Uint8Array();
  const bytes = Buffer.allocUnsafe(FIXED + head.length + payload.length);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt32BE(head.length, 1);
  head.copy(bytes, FIXED);
  bytes.set(payload, FIXED + head.length);
  return bytes;
}

/** Throws where the bytes are not an entry of a version that this program knows. */
export function decodeEntry(seq: Seq, bytes: Buffer): Entry {
  if (bytes.readUInt8(0) !== VERSION)
    throw new RangeError(
      `row ${seq} has format ${bytes.readUInt8(0)}, this program knows ${VERSION}: update it`,
    );
  const end = FIXED + bytes.readUInt32BE(1);
  const { e, t, k, p, s } = JSON.parse(bytes.toString("utf8", FIXED, end)) as Head;
  const source = s === undefined ? undefined : { query: s[0], lane: s[1], seq: s[2] };
  const base = { seq, epoch: e, appendedAtMs: t };
  const entry =
    k === undefined
      ? { kind: "marker", ...base, ...(source === undefined ? {} : { source }) }
      : {
          kind: "data",
          ...base,
          key: k,
          // A copy: a view would keep the whole answer of the server in memory.
          payload: new Uint8Array(bytes.subarray(end)),
          ...(p === undefined ? {} : { producer: { id: p[0], seq: p[1] } }),
          ...(source === undefined ? {} : { source: { ...source, index: s?.[3] ?? 0 } }),
        };
  return entry as Entry;
}
