import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { ChunkSchema, CommandSchema } from "@greco/contracts/greco/conductor/v1/conductor";
import { describe, expect, it } from "vitest";
import { Assembler } from "./chunks.ts";

const limits = { assembliesMax: 3, assemblyBytesMax: 1000 };
const bytes = toBinary(
  CommandSchema,
  create(CommandSchema, { commandId: "p.review", model: `models/${"m".repeat(60)}` }),
);
const sha = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

function cut(whole: Uint8Array, count: number, messageId = "m1"): Uint8Array[] {
  const size = Math.ceil(whole.length / count);
  return Array.from({ length: count }, (_, index) =>
    toBinary(
      ChunkSchema,
      create(ChunkSchema, {
        messageId,
        index,
        count,
        digest: sha(whole),
        payload: whole.slice(index * size, (index + 1) * size),
      }),
    ),
  );
}

const isCommand = { type: "command", command: { commandId: "p.review" } };

describe("pieces of commands", () => {
  it("make a command when all are there, in any order and with repeats", () => {
    for (const count of [1, 2, 7]) {
      const assembler = new Assembler(limits);
      const pieces = cut(bytes, count).toReversed();
      const last = pieces.pop() as Uint8Array;
      for (const piece of [...pieces, ...pieces]) expect(assembler.add(piece).type).toBe("partial");
      expect(assembler.add(last)).toMatchObject(isCommand);
      expect(assembler.bytes).toBe(0);
    }
  });

  it("come from several commands at once", () => {
    const assembler = new Assembler(limits);
    const [a, b] = [cut(bytes, 2, "a"), cut(bytes, 2, "b")] as [Uint8Array[], Uint8Array[]];
    expect(assembler.add(a[0] as Uint8Array).type).toBe("partial");
    expect(assembler.add(b[0] as Uint8Array).type).toBe("partial");
    expect(assembler.add(b[1] as Uint8Array)).toMatchObject(isCommand);
    expect(assembler.add(a[1] as Uint8Array)).toMatchObject(isCommand);
  });

  it("are dropped when the digest of the whole does not match, and the next announcement counts", () => {
    const assembler = new Assembler(limits);
    const [first, second] = cut(bytes, 2) as [Uint8Array, Uint8Array];
    const chunk = create(ChunkSchema, {
      messageId: "m1",
      index: 1,
      count: 2,
      digest: sha(bytes),
      payload: new Uint8Array(3),
    });
    assembler.add(first);
    expect(assembler.add(toBinary(ChunkSchema, chunk))).toMatchObject({ type: "dropped" });
    expect(assembler.add(second).type).toBe("partial");
    expect(assembler.add(first)).toMatchObject(isCommand);
  });

  it("are dropped when they are no pieces at all, whatever they hold", () => {
    const assembler = new Assembler(limits);
    const forged = [
      { index: 2, count: 2 },
      { index: -1, count: 2 },
      { index: 0, count: 0 },
      { index: 0, count: 2_000_000_000 },
      { index: 0, count: 1, digest: "x" },
      { index: 0, count: 1, digest: sha(new Uint8Array([255, 255])), payload: new Uint8Array([255, 255]) },
    ].map((each) => toBinary(ChunkSchema, create(ChunkSchema, { messageId: "f", ...each })));
    for (const each of [new Uint8Array([255, 255, 255]), ...forged])
      expect(assembler.add(each)).toMatchObject({ type: "dropped" });
    expect(assembler.bytes).toBe(0);
  });

  it("take bounded memory: the oldest unfinished command goes first", () => {
    const assembler = new Assembler(limits);
    const all = ["a", "b", "c", "d"].map((id) => cut(bytes, 2, id));
    for (const [first] of all) assembler.add(first as Uint8Array);
    expect(assembler.add(all[3]?.[1] as Uint8Array)).toMatchObject(isCommand);
    expect(assembler.add(all[0]?.[1] as Uint8Array).type).toBe("partial");
    const big = cut(new Uint8Array(3000), 3, "big");
    expect(big.map((piece) => assembler.add(piece).type)).toEqual(["partial", "dropped", "partial"]);
    expect(assembler.bytes).toBeLessThanOrEqual(limits.assemblyBytesMax);
  });
});
