/**
 * Content of any size in a store whose transactions are small: chunks under the name of their attempt, each
 * transaction comparing its guard, and a last one that seals them with count and digest (DESIGN §3).
 */
import { createHash, type Hash } from "node:crypto";
import type { Compare, CpStore, KeyValue, Operation, Transaction, TransactionResult } from "@greco/ports";
import { fromChunks, toChunks, type LineReader } from "./lines.ts";
import type { Chunked } from "./records.ts";

const INDEX_DIGITS = 6;
/** Chunks read in one call; with the next call under way, a reader holds twice as many. */
const CHUNKS_A_READ = 2;

/** Its content is not what was sealed, or not there any more: nothing may be built on it. */
export class CorruptContentError extends Error {
  override name = "CorruptContentError";
}

/** The guard failed: somebody else has changed what this write stands on. Nothing of it counts. */
export class OvertakenError extends Error {
  override name = "OvertakenError";
}

export function chunksPrefix(prefix: string, attempt: string): string {
  return `${prefix}${attempt}/`;
}

export type ChunkSet = {
  readonly prefix: string;
  readonly attempt: string;
  readonly lines: Iterable<string>;
};

export type ChunkedWrite = {
  readonly sets: readonly ChunkSet[];
  readonly chunkBytes: number;
  /** Made before the first chunk, only when one transaction does not hold all; gives what guards the rest. */
  readonly open: (signal: AbortSignal) => Promise<readonly Compare[]>;
  /** The last transaction: its chunks come on top. One `Chunked` for each set. */
  readonly seal: (written: readonly Chunked[], guard: readonly Compare[] | undefined) => Transaction;
  /** Passed between two transactions. */
  readonly between?: () => Promise<void>;
  readonly beforeSeal?: () => Promise<void>;
};

/** The result of the last transaction. Rejects with `OvertakenError` when a guard failed before it. */
export async function writeChunked(
  store: CpStore,
  write: ChunkedWrite,
  signal: AbortSignal,
): Promise<TransactionResult> {
  const written: Chunked[] = [];
  let pending: Operation[] = [];
  let pendingBytes = 0;
  let guard: readonly Compare[] | undefined;
  for (const { prefix, attempt, lines } of write.sets) {
    const hash = createHash("sha256");
    let chunks = 0;
    let bytes = 0;
    for (const value of toChunks(lines, write.chunkBytes)) {
      if (pendingBytes + value.length > write.chunkBytes) {
        guard ??= await write.open(signal);
        const { succeeded } = await store.transact({ compare: guard, then: pending }, signal);
        if (!succeeded) throw new OvertakenError("another write has changed what this one stands on");
        await write.between?.();
        pending = [];
        pendingBytes = 0;
      }
      pending.push({ type: "put", key: chunkKey(prefix, attempt, chunks), value });
      pendingBytes += value.length;
      hash.update(value);
      chunks += 1;
      bytes += value.length;
    }
    written.push({ attempt, chunks, bytes, digest: hash.digest("hex") });
  }
  await write.beforeSeal?.();
  const last = write.seal(written, guard);
  return await store.transact({ ...last, then: [...pending, ...last.then] }, signal);
}

function chunkKey(prefix: string, attempt: string, index: number): string {
  return `${chunksPrefix(prefix, attempt)}${String(index).padStart(INDEX_DIGITS, "0")}`;
}

/** The lines of sealed content. Throws `CorruptContentError`, at the latest behind the last line. */
export function readChunked(
  store: CpStore,
  prefix: string,
  content: Chunked,
  signal: AbortSignal,
): LineReader {
  return fromChunks(chunksOf(store, chunksPrefix(prefix, content.attempt), content, signal));
}

async function* chunksOf(
  store: CpStore,
  prefix: string,
  content: Chunked,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash: Hash = createHash("sha256");
  let seen = 0;
  const read = async (after: string | undefined): Promise<readonly KeyValue[]> => {
    const range = after === undefined ? { prefix } : { prefix, after };
    return (await store.range(range, { limit: CHUNKS_A_READ }, signal)).entries;
  };
  let after: string | undefined;
  while (seen < content.chunks) {
    const entries = await read(after);
    if (entries.length === 0) break;
    for (const { key, value } of entries) {
      hash.update(value);
      seen += 1;
      after = key;
      yield value;
    }
  }
  if (seen !== content.chunks || hash.digest("hex") !== content.digest)
    throw new CorruptContentError(
      `${prefix} holds ${seen} chunks of ${content.chunks}, or other bytes than were sealed: restore the store`,
    );
}
