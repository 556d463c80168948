import { EpochIndex, type LedgerEntry } from "@greco/domain/epoch";
import { candidateId, entityKey, epoch, modelId, type EntityIdentity } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import { boundsOf, supersededBy, type Superseded } from "./superseded.ts";

const identity = (name: string) => name as EntityIdentity;

/** `put` and `removed` are entities; `scope` are streams. */
function ledger(...entries: { put?: string[]; removed?: string[]; scope: string[] }[]) {
  const index = new EpochIndex();
  const superseded: Superseded[] = [];
  for (const [at, { put = [], removed = [], scope }] of entries.entries()) {
    const candidate = candidateId(`c${at + 1}`);
    const entry: LedgerEntry = {
      model: modelId("m"),
      epoch: epoch(at + 1),
      candidate,
      scope: scope.map(identity),
      bindings: [
        ...put.map((entity) => ({ entity: identity(entity), candidate, hash: "h", removed: false as const })),
        ...removed.map((entity) => ({ entity: identity(entity), removed: true as const })),
      ],
      committedAtMs: 0,
    };
    index.add(entry);
    superseded.push(...supersededBy(index, entry, (kind) => kind === "query" || kind === "table"));
  }
  return { index, superseded };
}
const brief = ({ entity, candidate, from, until }: Superseded): string =>
  `${entity} ${candidate} ${from}-${until}`;

describe("what the ledger leaves behind", () => {
  it("is each binding that was replaced or removed, with the time for which it was in force", () => {
    const { superseded } = ledger(
      { put: ["query/q@1", "stream/s@1"], scope: [] },
      { put: ["stream/s@1"], scope: [] },
      { put: ["query/q@1"], scope: [] },
      { removed: ["query/q@1"], scope: [] },
      { put: ["query/q@5"], scope: [] },
    );
    expect(superseded.map(brief)).toEqual(["query/q@1 c1 1-3", "query/q@1 c3 3-4"]);
  });

  it("I13: may be needed below the last epoch that had a lane's stream in scope, whatever then happened to it", () => {
    // A table that a query on `a` stops looking up at epoch 2, and a query on `b` looks up until the table changes.
    const { index, superseded } = ledger(
      { put: ["table/t@1"], scope: ["stream/a@1", "stream/b@1"] },
      { scope: ["stream/a@1"] },
      { scope: ["stream/c@1"] },
      { put: ["table/t@1"], scope: ["stream/b@4"] },
      { scope: ["stream/a@1"] },
    );
    const [table] = superseded;
    if (table === undefined) throw new Error("nothing is superseded");
    expect(brief(table)).toBe("table/t@1 c1 1-4");
    expect(Object.fromEntries(boundsOf(index, table, undefined))).toEqual({
      "stream/epochs": 4,
      "stream/a": 2,
      "stream/c": 3,
      "stream/b": 4,
    });
    const inputs = [entityKey("stream", "a"), entityKey("stream", "b"), entityKey("stream", "elsewhere")];
    expect(Object.fromEntries(boundsOf(index, table, inputs))).toEqual({ "stream/a": 2, "stream/b": 4 });
  });
});
