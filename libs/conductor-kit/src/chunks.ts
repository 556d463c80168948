/**
 * Puts commands together from the pieces in which the control log carries them. A command counts only
 * when all pieces are there and the digest of the whole matches (§4.2): what is forged or partial is
 * dropped, and the announcement comes again. Memory is bounded; the oldest unfinished command goes first.
 */
import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import {
  ChunkSchema,
  CommandSchema,
  type Chunk,
  type Command,
} from "@greco/contracts/greco/conductor/v1/conductor";

export type Assembled =
  | { readonly type: "command"; readonly command: Command }
  | { readonly type: "partial" }
  | { readonly type: "dropped"; readonly why: string };

type Assembly = { readonly pieces: (Uint8Array | undefined)[]; missing: number; bytes: number };

const partial: Assembled = { type: "partial" };
const dropped = (why: string): Assembled => ({ type: "dropped", why });

export class Assembler {
  readonly #assembliesMax: number;
  readonly #bytesMax: number;
  /** In the order of their first piece. */
  readonly #open = new Map<string, Assembly>();
  #bytes = 0;

  constructor(limits: { readonly assembliesMax: number; readonly assemblyBytesMax: number }) {
    this.#assembliesMax = limits.assembliesMax;
    this.#bytesMax = limits.assemblyBytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One entry of the control log. Never throws: whatever it holds, the log goes on. */
  add(payload: Uint8Array): Assembled {
    const chunk = decode(payload);
    if (chunk === undefined) return dropped("not a chunk");
    const { index, count } = chunk;
    if (count < 1 || index < 0 || index >= count) return dropped(`piece ${index} of ${count}`);
    if (count === 1) return finish(chunk.digest, [chunk.payload]);
    if (count > this.#bytesMax || chunk.payload.length > this.#bytesMax) return dropped("too large");
    // Pieces that differ in count or digest do not belong together, whatever id they carry.
    const key = `${chunk.messageId}\n${count}\n${chunk.digest}`;
    const assembly = this.#open.get(key) ?? this.#begin(key, count);
    if (assembly.pieces[index] !== undefined) return partial;
    assembly.pieces[index] = chunk.payload;
    assembly.missing -= 1;
    assembly.bytes += chunk.payload.length;
    this.#bytes += chunk.payload.length;
    if (assembly.missing === 0) {
      this.#close(key);
      return finish(chunk.digest, assembly.pieces as Uint8Array[]);
    }
    while (this.#bytes > this.#bytesMax) this.#dropOldest();
    return this.#open.has(key) ? partial : dropped("too large");
  }

  #begin(key: string, count: number): Assembly {
    while (this.#open.size >= this.#assembliesMax) this.#dropOldest();
    // Sparse: a forged count must not cost memory.
    const assembly: Assembly = { pieces: [], missing: count, bytes: 0 };
    this.#open.set(key, assembly);
    return assembly;
  }

  #dropOldest(): void {
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#close(oldest);
  }

  #close(key: string): void {
    this.#bytes -= this.#open.get(key)?.bytes ?? 0;
    this.#open.delete(key);
  }
}

function decode(payload: Uint8Array): Chunk | undefined {
  try {
    return fromBinary(ChunkSchema, payload);
  } catch (_notProtobuf) {
    return undefined;
  }
}

function finish(digest: string, pieces: readonly Uint8Array[]): Assembled {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  if (hash.digest("hex") !== digest) return dropped("the digest of the whole does not match");
  const whole = pieces.length === 1 ? (pieces[0] ?? new Uint8Array()) : Buffer.concat(pieces);
  try {
    return { type: "command", command: fromBinary(CommandSchema, whole) };
  } catch (_notProtobuf) {
    return dropped("not a command");
  }
}
