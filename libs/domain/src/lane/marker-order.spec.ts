import { describe, expect, it } from "vitest";
import { EpochIndex } from "../epoch/epoch-index.ts";
import type { EntityIdentity } from "../model/ids.ts";
import { candidateId, DEAD_LETTERS_STREAM, epoch, EPOCHS_STREAM, modelId } from "../model/ids.ts";
import { dueFromLedger, dueMarkers } from "./marker-order.ts";

const source = "stream/s@1" as EntityIdentity;
const derived = "stream/d@1" as EntityIdentity;

function ledger(...scopes: (readonly EntityIdentity[])[]): EpochIndex {
  const index = new EpochIndex();
  scopes.forEach((scope, at) => {
    const bindings: never[] = [];
    const candidate = candidateId(`c${at}`);
    index.add({ model: modelId("m"), epoch: epoch(at + 1), candidate, scope, bindings, committedAtMs: 0 });
  });
  return index;
}

const both = [source, derived];
const below = [derived];

describe("markers of a lane that follows the ledger", () => {
  it("R4: come in ledger order, for the epochs in its scope only", () => {
    const index = ledger([source], [], [source], []);
    expect(dueFromLedger(index, source, epoch(0), epoch(9))).toEqual({ markers: [1, 3], current: 4 });
    expect(dueFromLedger(index, source, epoch(1), epoch(9))).toEqual({ markers: [3], current: 4 });
    expect(dueFromLedger(index, source, epoch(4), epoch(9))).toEqual({ markers: [], current: 4 });
    expect(dueFromLedger(index, source, epoch(0), epoch(2))).toEqual({ markers: [1], current: 2 });
  });

  it("come with every epoch in the built-in streams", () => {
    const index = ledger([], [source]);
    expect(dueFromLedger(index, EPOCHS_STREAM, epoch(0), epoch(2)).markers).toEqual([1, 2]);
    expect(dueFromLedger(index, DEAD_LETTERS_STREAM, epoch(1), epoch(2)).markers).toEqual([2]);
  });
});

describe("markers of a derived lane", () => {
  const streams = { input: source, output: derived };

  it("R4: one that the writer inserts waits for every lower one that is still to be forwarded", () => {
    const index = ledger(both, both, below);
    expect(dueMarkers(index, streams, epoch(1), epoch(1))).toEqual({ markers: [], current: 1 });
    expect(dueMarkers(index, streams, epoch(1), epoch(2))).toEqual({ markers: [2, 3], current: 3 });
  });

  it("inserts at once what only what is below needs, in whatever epoch the input stands", () => {
    const index = ledger(both, below, below);
    expect(dueMarkers(index, streams, epoch(1), epoch(1))).toEqual({ markers: [2, 3], current: 3 });
  });

  it("passes what is in neither scope", () => {
    const index = ledger(both, [], both, []);
    expect(dueMarkers(index, streams, epoch(1), epoch(1))).toEqual({ markers: [], current: 2 });
    expect(dueMarkers(index, streams, epoch(2), epoch(3))).toEqual({ markers: [3], current: 4 });
  });
});
