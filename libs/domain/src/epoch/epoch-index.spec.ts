import { describe, expect, it } from "vitest";
import type { EntityIdentity } from "../model/ids.ts";
import { candidateId, entityKey, epoch, EPOCHS_STREAM, modelId } from "../model/ids.ts";
import { EpochIndex } from "./epoch-index.ts";
import type { ChangedBinding } from "./ledger.ts";
import { programAt } from "./program.ts";

const id = (text: string): EntityIdentity => text as EntityIdentity;
const put = (entity: string, hash: string): ChangedBinding => ({
  entity: id(entity),
  candidate: candidateId("c"),
  hash,
  removed: false,
});
const removed = (entity: string): ChangedBinding => ({ entity: id(entity), removed: true });

function index(...epochs: (readonly ChangedBinding[])[]): EpochIndex {
  const made = new EpochIndex();
  epochs.forEach((bindings, at) => {
    const scope = [id("stream/s@1")];
    const candidate = candidateId("c");
    made.add({ model: modelId("m"), epoch: epoch(at + 1), candidate, scope, bindings, committedAtMs: 0 });
  });
  return made;
}

describe("EpochIndex", () => {
  it("I6: answers for an epoch what it always answered, however the ledger grows", () => {
    const epochs = index([put("query/q@1", "a")], [put("query/q@1", "b")], [removed("query/q@1")]);
    const at = (number: number) => epochs.bindingAt(epoch(number), id("query/q@1"))?.hash;
    expect([0, 1, 2, 3, 4].map(at)).toEqual([undefined, "a", "b", undefined, undefined]);
    expect(epochs.changesOf(id("query/q@1"))).toEqual([1, 2, 3]);
  });

  it("finds under a name the entity that bore it at that epoch", () => {
    const epochs = index([put("stream/s@1", "a")], [removed("stream/s@1")], [put("stream/s@3", "b")]);
    const at = (number: number) => epochs.identityAt(epoch(number), entityKey("stream", "s"));
    expect([1, 2, 3].map(at)).toEqual(["stream/s@1", undefined, "stream/s@3"]);
    expect(epochs.identitiesOf(entityKey("stream", "s"))).toEqual(["stream/s@1", "stream/s@3"]);
    expect(epochs.identityAt(epoch(1), entityKey("stream", "epochs"))).toBe(EPOCHS_STREAM);
  });

  it("refuses an entry behind a gap", () => {
    const epochs = index([]);
    const entry = epochs.entries(epoch(0))[0];
    if (entry === undefined) throw new Error("no entry");
    expect(() => epochs.add({ ...entry, epoch: epoch(3) })).toThrow("gapless");
    expect(() => epochs.add(entry)).toThrow("gapless");
  });

  it("starts from folded bindings", () => {
    const first = { entity: id("query/q@1"), candidate: candidateId("c"), hash: "a" };
    const epochs = new EpochIndex({ epoch: epoch(7), bindings: [first] });
    epochs.add({
      model: modelId("m"),
      epoch: epoch(8),
      candidate: candidateId("c"),
      scope: [],
      bindings: [put("query/q@1", "b")],
      committedAtMs: 0,
    });
    expect(epochs.newest).toBe(8);
    expect(epochs.bindingAt(epoch(7), id("query/q@1"))?.hash).toBe("a");
    expect(epochs.bindingsAt(epoch(8)).get(id("query/q@1"))?.hash).toBe("b");
    expect(epochs.inScope(epoch(8), EPOCHS_STREAM)).toBe(true);
    expect(epochs.entries(epoch(7))).toHaveLength(1);
  });
});

describe("programAt", () => {
  it("I6: changes with the query's binding and with those of its tables", () => {
    const epochs = index(
      [put("query/q@1", "a"), put("table/t@1", "x")],
      [put("table/t@1", "y")],
      [put("table/other@3", "z")],
      [removed("table/t@1")],
    );
    const hashes = (number: number) => {
      const program = programAt(epochs, epoch(number), id("query/q@1"), ["t"]);
      return program !== undefined && "hashes" in program ? program.hashes : program;
    };
    expect(hashes(0)).toBeUndefined();
    expect(hashes(1)).toBe("a\nt=x");
    expect(hashes(2)).toBe("a\nt=y");
    expect(hashes(3)).toBe("a\nt=y");
    expect(hashes(4)).toEqual({ missing: "table/t" });
  });
});
