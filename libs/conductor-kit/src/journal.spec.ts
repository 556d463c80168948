import { candidateId, entityIdentity, entityKey } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import {
  bindingObject,
  emptyJournal,
  fold,
  fromSummary,
  pinnedBy,
  summarize,
  type JournalEntry,
  type JournalState,
  type StoredAccept,
} from "./journal.ts";

const c1 = candidateId("c1");
const c2 = candidateId("c2");
const key = entityKey("query", "late");
const identity = entityIdentity(key, 1);
const accept: StoredAccept = {
  claims: [key],
  plan: { steps: [], prepareTimeMs: 0, cost: "" },
  ready: false,
  wayBack: false,
};
const accepted = (candidate = c1, base = 1): JournalEntry => ({
  type: "accepted",
  candidate,
  digest: `digest of ${candidate}`,
  base,
  accept,
});
const intended = (candidate = c1, objects = ["a"], keeps: string[] = []): JournalEntry => ({
  type: "intended",
  candidate,
  incarnation: 1,
  objects,
  keeps,
});
const prepared = (candidate = c1, uses?: string[]): JournalEntry => ({
  type: "prepared",
  candidate,
  incarnation: 1,
  bindings: [{ entity: identity, hash: "h", ...(uses === undefined ? {} : { uses }) }],
});
const released = (candidate = c1, version = 2, armed = false): JournalEntry => ({
  type: "released",
  candidate,
  version,
  armed,
});
const of = (...entries: JournalEntry[]): JournalState => entries.reduce(fold, emptyJournal);
const again = (state: JournalState): JournalState =>
  fromSummary(JSON.parse(JSON.stringify(summarize(state))) as ReturnType<typeof summarize>);

describe("the fold", () => {
  it("K1: keeps what was intended for the undo, whatever had become of the prepare", () => {
    const tombstone: JournalEntry = { type: "tombstoned", candidate: c1, digest: "d" };
    const states = [
      of(accepted(), intended(c1, ["a"]), intended(c1, ["b"]), tombstone),
      of(accepted(), intended(c1, ["a", "b"]), prepared(), tombstone),
      of(
        accepted(),
        intended(c1, ["a", "b"]),
        { type: "failed", candidate: c1, incarnation: 1, findings: [] },
        tombstone,
      ),
    ];
    for (const state of states)
      expect(state.candidates.get(c1)).toMatchObject({
        phase: "undoing",
        objects: ["a", "b"],
        claims: [key],
      });
  });

  it("K3: knows which incarnations never told of the end of their prepare", () => {
    const other: JournalEntry = { type: "intended", candidate: c1, incarnation: 2, objects: [], keeps: [] };
    const done: JournalEntry = { type: "prepared", candidate: c1, incarnation: 2, bindings: [] };
    const state = of(accepted(), intended(), other, done, { type: "tombstoned", candidate: c1, digest: "d" });
    expect(state.candidates.get(c1)).toMatchObject({ unended: [1] });
  });

  it("refuses an entry that cannot follow: the journal is then not this conductor's", () => {
    expect(() => of(prepared())).toThrow('"prepared" of candidate c1 cannot follow "nothing"');
  });
});

describe("pins", () => {
  it("K4: what a candidate intends or keeps is pinned from the intent on, until it is undone", () => {
    const open = of(accepted(), intended(c1, ["a"], ["old"]));
    expect([pinnedBy(open, "a"), pinnedBy(open, "old"), pinnedBy(open, "b")]).toEqual([["c1"], ["c1"], []]);
    const ready = fold(open, prepared());
    expect([pinnedBy(ready, "a"), pinnedBy(ready, "old")]).toEqual([["c1"], ["c1"]]);
    const undoing = fold(ready, { type: "tombstoned", candidate: c1, digest: "d" });
    expect([pinnedBy(undoing, "a"), pinnedBy(undoing, "old")]).toEqual([["c1"], []]);
    expect(pinnedBy(fold(undoing, { type: "undone", candidate: c1 }), "a")).toEqual([]);
  });

  it("K4: an armed way back keeps what it needs until it is disarmed", () => {
    const armed = of(accepted(), intended(c1, [], ["old"]), prepared(), released(c1, 2, true));
    expect(pinnedBy(again(armed), "old")).toEqual(["c1"]);
    expect(pinnedBy(fold(armed, { type: "disarmed", candidate: c1 }), "old")).toEqual([]);
  });

  it("K4: an object that bindings share is pinned until the last of them is retired", () => {
    const state = of(
      accepted(),
      intended(c1, ["fn"]),
      prepared(c1, ["fn"]),
      released(),
      accepted(c2, 2),
      intended(c2, ["fn"]),
      prepared(c2, ["fn"]),
      released(c2, 3),
    );
    const first = bindingObject(identity, c1);
    expect(pinnedBy(state, "fn")).toEqual([first, bindingObject(identity, c2)]);
    expect(pinnedBy(fold(state, { type: "retired", bindings: [first] }), "fn")).toHaveLength(1);
  });
});

describe("compaction", () => {
  it("K2: keeps a tombstone for as long as its candidate could be told of in earnest", () => {
    const state = of(
      accepted(),
      { type: "tombstoned", candidate: c1, digest: "d" },
      { type: "undone", candidate: c1 },
    );
    expect(again(state).candidates.get(c1)?.phase).toBe("undone");
    const later = [accepted(c2, 1), intended(c2), prepared(c2), released(c2, 2)].reduce(fold, state);
    expect(again(later).candidates.has(c1)).toBe(false);
  });

  it("keeps every candidate that something is still owed for", () => {
    const undoing = of(accepted(), intended(), { type: "tombstoned", candidate: c1, digest: "d" });
    const open = of(accepted(c2), intended(c2), prepared(c2));
    for (const state of [undoing, open]) expect(again(state)).toEqual(state);
  });

  it("folds to the same state from its summary", () => {
    const entries = [accepted(), intended(), prepared(c1, ["fn"]), released(), accepted(c2, 2), intended(c2)];
    const whole = entries.reduce(fold, emptyJournal);
    for (let at = 0; at <= entries.length; at++) {
      const state = entries.slice(at).reduce(fold, again(entries.slice(0, at).reduce(fold, emptyJournal)));
      expect(state.candidates.get(c2)).toEqual(whole.candidates.get(c2));
      expect(state.uses).toEqual(whole.uses);
      expect(state.head).toBe(whole.head);
    }
  });
});
