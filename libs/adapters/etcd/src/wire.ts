/** The port's words as etcd's, and back. Keys stand below a prefix in etcd, which no caller sees. */
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  ReadOptions,
  Transaction,
  WatchEvent,
} from "@greco/ports";
import type { ICompare, IEvent, IKeyValue, IRangeRequest, IRequestOp, ITxnRequest } from "etcd3";

export type EtcdRange = { readonly key: Buffer; readonly range_end?: Buffer };

export type Wire = {
  range(range: KeyRange, descending?: boolean): EtcdRange;
  read(range: KeyRange, options: ReadOptions): IRangeRequest;
  transaction(transaction: Transaction): ITxnRequest;
  entry(from: IKeyValue): KeyValue;
  event(from: IEvent): WatchEvent;
};

/** The first key behind all that begin with `prefix`. */
function endOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let index = end.length - 1; index >= 0; index--) {
    const byte = end[index] ?? 0;
    if (byte === 0xff) continue;
    end[index] = byte + 1;
    return end.subarray(0, index + 1);
  }
  // Only a prefix of nothing but 0xff comes here; ours is text.
  return Buffer.from([0]);
}

const max = (a: Buffer, b: Buffer): Buffer => (Buffer.compare(a, b) >= 0 ? a : b);
const min = (a: Buffer, b: Buffer): Buffer => (Buffer.compare(a, b) <= 0 ? a : b);

const RESULTS = { "=": "Equal", "!=": "NotEqual", "<": "Less", ">": "Greater" } as const;

export function createWire(storePrefix: string): Wire {
  const skip = Buffer.byteLength(storePrefix);
  const bytesOf = (key: string): Buffer => Buffer.from(storePrefix + key);
  const keyOf = (bytes: Buffer): string => bytes.toString("utf8", skip);

  const range = (wanted: KeyRange, descending = false): EtcdRange => {
    if ("key" in wanted) return { key: bytesOf(wanted.key) };
    const start = bytesOf(wanted.prefix);
    const end = endOf(start);
    if (wanted.after === undefined) return { key: start, range_end: end };
    const after = bytesOf(wanted.after);
    const [from, to] = descending
      ? [start, min(after, end)]
      : [max(start, Buffer.concat([after, Buffer.from([0])])), end];
    // Nothing stands in it; the key that no caller can have (an empty one) says so to etcd.
    return Buffer.compare(from, to) < 0 ? { key: from, range_end: to } : { key: bytesOf("") };
  };

  const read = (wanted: KeyRange, options: ReadOptions): IRangeRequest => ({
    ...range(wanted, options.descending),
    ...(options.revision === undefined ? {} : { revision: options.revision }),
    ...(options.limit === undefined ? {} : { limit: options.limit }),
    ...(options.keysOnly === true ? { keys_only: true } : {}),
    ...(options.serializable === true ? { serializable: true } : {}),
    ...(options.descending === true ? { sort_order: "Descend", sort_target: "Key" } : {}),
  });

  const compare = (each: Compare): ICompare => {
    const common = { key: bytesOf(each.key), result: RESULTS[each.is] };
    switch (each.target) {
      case "value":
        return { ...common, target: "Value", value: Buffer.from(each.value) };
      case "version":
        return { ...common, target: "Version", version: each.value };
      case "createRevision":
        return { ...common, target: "Create", create_revision: each.value };
      case "modRevision":
        return { ...common, target: "Mod", mod_revision: each.value };
    }
  };

  const operation = (each: Operation): IRequestOp => {
    switch (each.type) {
      case "put": {
        const put = { key: bytesOf(each.key), value: each.value as Buffer };
        return { request_put: each.lease === undefined ? put : { ...put, lease: each.lease } };
      }
      case "delete":
        return { request_delete_range: range(each.range) };
      case "get":
        return { request_range: read(each.range, each.options ?? {}) };
    }
  };

  const entry = (from: IKeyValue): KeyValue => ({
    key: keyOf(from.key),
    // As the port says: what a Buffer can do more, callers must not come to need.
    value: new Uint8Array(from.value.buffer, from.value.byteOffset, from.value.byteLength),
    createRevision: Number(from.create_revision),
    modRevision: Number(from.mod_revision),
    version: Number(from.version),
    ...(from.lease === "0" ? {} : { lease: from.lease }),
  });

  return {
    range,
    read,
    entry,
    transaction: (transaction) => ({
      compare: transaction.compare.map(compare),
      success: transaction.then.map(operation),
      failure: (transaction.else ?? []).map(operation),
    }),
    event: (from) =>
      from.type === "Delete"
        ? { type: "delete", key: keyOf(from.kv.key), modRevision: Number(from.kv.mod_revision) }
        : { type: "put", entry: entry(from.kv) },
  };
}
