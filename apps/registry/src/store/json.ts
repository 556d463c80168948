/** Records of the store are JSON. */
import type { CpStore, KeyValue, Operation } from "@greco/ports";

export function toBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), "utf8");
}

export function fromBytes<T>(value: Uint8Array): T {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8")) as T;
}

/** A record with the revision to compare with. */
export type Stored<T> = { readonly value: T; readonly revision: number };

export function stored<T>(entry: KeyValue): Stored<T> {
  return { value: fromBytes<T>(entry.value), revision: entry.modRevision };
}

export async function readRecord<T>(
  store: CpStore,
  key: string,
  signal: AbortSignal,
): Promise<Stored<T> | undefined> {
  const { entries } = await store.range({ key }, { limit: 1 }, signal);
  return entries[0] === undefined ? undefined : stored<T>(entries[0]);
}

export function put(key: string, value: unknown): Operation {
  return { type: "put", key, value: toBytes(value) };
}
