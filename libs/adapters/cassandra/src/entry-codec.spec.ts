import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { forSeeds } from "@greco/ports/testing";
import { expect, it } from "vitest";
import { decodeEntry, encodeEntry } from "./entry-codec.ts";
import { dataEntry } from "./testing/entries.ts";

const source = { query: "query/q@1" as EntityIdentity, lane: "in" as LaneId, seq: 7 as Seq };
const marker = { kind: "marker", seq: 1 as Seq, epoch: 3 as Epoch, appendedAtMs: 1.5 } as const;

it("gives back every form of an entry, and the same bytes for the same entry (R1)", () => {
  const entries: Entry[] = [
    marker,
    { ...marker, source },
    dataEntry(2),
    { ...dataEntry(3), key: "", payload: new Uint8Array() },
    { ...dataEntry(4), source: { ...source, index: 0 }, producer: { id: "p", seq: Number.MAX_SAFE_INTEGER } },
  ];
  for (const entry of entries) {
    expect(decodeEntry(entry.seq, encodeEntry(entry))).toEqual(entry);
    expect(encodeEntry(structuredClone(entry)).equals(encodeEntry(entry))).toBe(true);
  }
});

it("gives back any payload and key", () =>
  forSeeds((random) => {
    for (let turn = 0; turn < 200; turn++) {
      const payload = Uint8Array.from({ length: random.integer(300) }, () => random.integer(256));
      const key = Array.from({ length: random.integer(9) }, () =>
        String.fromCharCode(random.integer(0xd800)),
      ).join("");
      const entry = { ...dataEntry(1 + turn), key, payload };
      expect(decodeEntry(entry.seq, encodeEntry(entry))).toEqual(entry);
    }
    return Promise.resolve();
  }));

it("says that a row was written by a newer program, instead of guessing", () => {
  const bytes = encodeEntry(dataEntry(1));
  bytes.writeUInt8(9, 0);
  expect(() => decodeEntry(1 as Seq, bytes)).toThrow(/format 9.*update/);
});
