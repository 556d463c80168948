import { create } from "@bufbuild/protobuf";
import { ReviewSchema } from "@greco/contracts/greco/conductor/v1/conductor";
import { candidateId, entityIdentity, entityKey } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import {
  emptyJournal,
  fold,
  fromSummary,
  summarize,
  type JournalEntry,
  type StoredAccept,
} from "./journal.ts";
import { step, type MachineEffect, type MachineEvent, type MachineState, type Step } from "./machine.ts";

const candidate = candidateId("c1");
const digest = "d".repeat(64);
const told = (commandId: string) => ({ commandId, candidate, digest });
const key = entityKey("query", "late");
const bindings = [{ entity: entityIdentity(key, 1), hash: "h" }];
const findings = [
  { severity: "error", entity: key, fieldPath: "where", reason: "R", message: "m", remedy: "r" },
] as const;
const accept: StoredAccept = {
  claims: [key],
  plan: { steps: [], prepareTimeMs: 0, cost: "" },
  ready: false,
  wayBack: false,
};

const review: MachineEvent = {
  ...told("p.review"),
  type: "review",
  base: 3,
  request: create(ReviewSchema),
};
const accepts: MachineEvent = {
  ...told("p.review"),
  type: "reviewed",
  base: 3,
  vote: { vote: "accept", accept },
};
const vetoes: MachineEvent = {
  ...told("p.review"),
  type: "reviewed",
  base: 3,
  vote: { vote: "veto", findings },
};
const prepare: MachineEvent = { ...told("p.prepare"), type: "prepare", remainingMs: 1000 };
const intend: MachineEvent = { type: "intend", candidate, objects: ["a"], keeps: [] };
const prepareEnds: MachineEvent = {
  ...told("p.prepare"),
  type: "prepareEnded",
  result: { ok: true, bindings },
};
const aborted: MachineEvent = {
  ...told("p.settle"),
  type: "settle",
  committed: false,
  version: 0,
  armed: false,
  base: 3,
  head: 3,
};
const committed: MachineEvent = { ...aborted, committed: true, version: 4 };
const undone: MachineEvent = { ...told("p.settle"), type: "undone" };
const released: MachineEvent = { ...told("p.settle"), type: "released", version: 4, armed: false };
const deadline: MachineEvent = { type: "deadline", candidate };

const fresh: MachineState = { incarnation: 7, journal: emptyJournal, busy: new Map() };

/** A run of the machine: the entries that it wrote, the effects of its last step. */
class Run {
  state = fresh;
  readonly written: JournalEntry[] = [];
  last: Step = { state: fresh, entries: [], effects: [] };

  tell(...events: MachineEvent[]): this {
    for (const event of events) {
      this.last = step(this.state, event);
      this.state = this.last.state;
      this.written.push(...this.last.entries);
    }
    return this;
  }

  /** The process dies and another begins from the journal. */
  restart(): this {
    this.state = {
      incarnation: this.state.incarnation + 1,
      journal: this.written.reduce(fold, emptyJournal),
      busy: new Map(),
    };
    return this;
  }

  get effects(): readonly MachineEffect["type"][] {
    return this.last.effects.map((effect) => effect.type);
  }

  get answer(): unknown {
    const effect = this.last.effects.find((each) => each.type === "answer");
    return effect?.body;
  }
}

const run = (...events: MachineEvent[]): Run => new Run().tell(...events);

describe("a proposal", () => {
  it("is reviewed, prepared and released, with every promise in the journal", () => {
    const all = run(review, accepts, prepare, intend, prepareEnds, committed, released);
    expect(all.written.map((entry) => entry.type)).toEqual(["accepted", "intended", "prepared", "released"]);
    expect(all.answer).toEqual({ type: "settled", committed: true });
    expect(all.state.busy.size).toBe(0);
  });

  it("I1: answers with nothing that the journal does not hold", () => {
    const answers: [Run, JournalEntry["type"]][] = [
      [run(review, accepts), "accepted"],
      [run(review, vetoes), "vetoed"],
      [run(review, accepts, prepare, intend, prepareEnds), "prepared"],
      [run(review, accepts, prepare, intend, prepareEnds, committed, released), "released"],
      [run(review, accepts, aborted, undone), "undone"],
    ];
    for (const [each, type] of answers) {
      expect(each.effects).toEqual(["answer"]);
      expect(each.last.entries.map((entry) => entry.type)).toEqual([type]);
    }
  });

  it("carries ready with the accept when there is nothing to prepare, and may be committed at once", () => {
    const vote: MachineEvent = {
      ...accepts,
      vote: { vote: "accept", accept: { ...accept, claims: [], ready: true } },
    };
    expect(run(review, vote, committed).effects).toEqual(["release"]);
    expect(run(review, vote, prepare).answer).toEqual({ type: "ready", bindings: [] });
  });

  it("is not voted on when the review could not be made, and is reviewed again when told again", () => {
    const none: MachineEvent = { ...accepts, vote: { vote: "none" } };
    const tried = run(review, none);
    expect([tried.effects, tried.written]).toEqual([[], []]);
    expect(tried.tell(review).effects).toEqual(["review"]);
  });
});

describe("a repeat", () => {
  it("gets the first answer, also after a restart", () => {
    const steps: [MachineEvent[], MachineEvent][] = [
      [[review, accepts], review],
      [[review, vetoes], review],
      [[review, accepts, prepare, intend, prepareEnds], prepare],
      [[review, accepts, prepare, intend, prepareEnds], review],
      [[review, accepts, prepare, intend, prepareEnds, committed, released], committed],
      [[review, accepts, aborted, undone], aborted],
    ];
    for (const [events, repeat] of steps) {
      const before = run(...events);
      const count = before.written.length;
      const first = run(...events).tell(repeat).answer;
      expect(first).toBeDefined();
      expect(before.restart().tell(repeat).answer).toEqual(first);
      expect(before.written).toHaveLength(count);
    }
  });

  it("adds nothing while its first is being worked on", () => {
    for (const events of [[review], [review, accepts, prepare]]) {
      const again = events.at(-1) as MachineEvent;
      expect(run(...events, again).effects).toEqual(["ignore"]);
    }
  });

  it("goes on with a prepare that a restart cut off", () => {
    const cut = run(review, accepts, prepare, intend).restart();
    expect(cut.tell(prepare).effects).toEqual(["prepare"]);
    expect(cut.tell(intend, prepareEnds).answer).toEqual({ type: "ready", bindings });
  });
});

describe("what is forged or late", () => {
  it("is ignored: another digest, a prepare that was never accepted, a base below the head", () => {
    const other = { digest: "e".repeat(64) };
    expect(run(review, accepts, { ...review, ...other }).effects).toEqual(["ignore"]);
    expect(run(review, accepts, { ...prepare, ...other }).effects).toEqual(["ignore"]);
    expect(run(review, accepts, { ...aborted, ...other }).effects).toEqual(["ignore"]);
    expect(run(prepare).effects).toEqual(["ignore"]);
    const later = run(review, accepts, prepare, intend, prepareEnds, committed, released);
    expect(later.tell({ ...review, candidate: candidateId("c2") }).effects).toEqual(["ignore"]);
  });

  it("I2: an outcome is not turned round", () => {
    const done = run(review, accepts, prepare, intend, prepareEnds, committed, released);
    expect(done.tell(aborted).effects).toEqual(["ignore"]);
    expect(run(review, accepts, aborted, undone, committed).effects).toEqual(["ignore"]);
    expect(run(review, accepts, prepare, intend, committed).effects).toEqual(["ignore"]);
  });
});

describe("K2", () => {
  it("K2: undo leaves a tombstone: a late review or prepare is refused for ever", () => {
    const before: MachineEvent[][] = [[], [review, accepts], [review, accepts, prepare, intend, prepareEnds]];
    for (const events of before) {
      const dead = run(...events, aborted);
      expect(dead.last.entries.map((entry) => entry.type)).toEqual(["tombstoned"]);
      expect(dead.effects).toEqual(["undo"]);
      for (const restarted of [false, true]) {
        if (restarted) dead.restart();
        for (const late of [review, prepare]) {
          expect(dead.tell(late).effects).toEqual(["ignore"]);
          expect(dead.last.entries).toEqual([]);
        }
      }
      dead.tell({ type: "started" }, undone);
      for (const late of [review, prepare]) expect(dead.tell(late).effects).toEqual(["ignore"]);
    }
  });

  it("K2: the tombstone of what was never reviewed here stands until the head is above its base", () => {
    const baseAfter = (settle: Partial<Extract<MachineEvent, { type: "settle" }>>) => {
      const { state } = run({ ...aborted, ...settle });
      const { base } = state.journal.candidates.get(candidate) ?? {};
      return [base, state.journal.head];
    };
    expect(baseAfter({ base: 5, head: 4 })).toEqual([5, 4]);
    // Not told: it is no newer than the head, or nobody knows.
    expect(baseAfter({ base: 0, head: 4 })).toEqual([4, 4]);
    expect(baseAfter({ base: 0, head: -1 })).toEqual([Number.MAX_SAFE_INTEGER, 0]);
  });

  it("K2: what is forgotten with its tombstone is not reviewed again, and never prepared", () => {
    const all = run(aborted, undone);
    const other = candidateId("later");
    all.tell({ ...aborted, candidate: other, base: 4, head: 4 });
    all.state = { ...all.state, journal: fromSummary(summarize(all.state.journal)) };
    expect([...all.state.journal.candidates.keys()]).toEqual([other]);
    for (const late of [review, prepare]) expect(all.tell(late).effects).toEqual(["ignore"]);
  });

  it("K2: a vote that was still being made when the outcome came is not cast", () => {
    const late = run(review, aborted, accepts);
    expect(late.written.map((entry) => entry.type)).toEqual(["tombstoned"]);
    expect(late.effects).toEqual(["ignore"]);
    expect(late.tell(undone).answer).toEqual({ type: "settled", committed: false });
  });
});

describe("K3", () => {
  it("K3: an undo waits for the end of the prepare that runs, which it aborts", () => {
    const ending = run(review, accepts, prepare, intend, aborted);
    expect(ending.effects).toEqual(["abortPrepare"]);
    expect(ending.tell(aborted).effects).toEqual(["abortPrepare"]);
    const late: MachineEvent = { type: "intend", candidate, objects: ["b"], keeps: [] };
    expect(ending.tell(late).effects).toEqual(["ignore"]);
    expect(ending.tell(prepareEnds).effects).toEqual(["undo"]);
    expect(ending.last.entries).toEqual([]);
    expect(ending.tell(undone).answer).toEqual({ type: "settled", committed: false });
  });

  it("K3: an undo that a restart cut off is done without being asked again", () => {
    const owed = run(review, accepts, prepare, intend, prepareEnds, aborted)
      .restart()
      .tell({ type: "started" });
    expect(owed.effects).toEqual(["undo"]);
    expect(owed.tell(aborted).effects).toEqual(["ignore"]);
    expect(owed.tell(undone, aborted).answer).toEqual({ type: "settled", committed: false });
  });
});

describe("K5", () => {
  it("K5: time ends a prepare that runs, and never undoes what is ready", () => {
    expect(run(review, accepts, prepare, deadline).effects).toEqual(["abortPrepare"]);
    const ready = run(review, accepts, prepare, intend, prepareEnds, deadline);
    expect([ready.effects, ready.last.entries]).toEqual([[], []]);
    ready.restart().tell({ type: "started" }, deadline);
    expect([ready.effects, ready.last.entries]).toEqual([[], []]);
    expect(ready.tell(committed).effects).toEqual(["release"]);
  });
});

describe("a commit that waits for its confirmation", () => {
  it("is disarmed when it is told again without arms, and not armed again by a late repeat", () => {
    const armed = { ...committed, armed: true };
    const waiting = run(review, accepts, prepare, intend, prepareEnds, armed, { ...released, armed: true });
    expect(waiting.tell(armed).last.entries).toEqual([]);
    expect(waiting.tell({ ...committed, commandId: "p.disarm" }).last.entries).toEqual([
      { type: "disarmed", candidate },
    ]);
    expect(waiting.answer).toEqual({ type: "settled", committed: true });
    expect(waiting.tell(armed).last.entries).toEqual([]);
  });
});
