/**
 * How a conductor answers what it is told, as a pure machine: `step(state, event)` gives the journal
 * entries that must be durable first, and then the effects. What is busy is known to the process alone;
 * everything promised is in the journal.
 *
 * - I1: an answer is an effect behind the entry that holds it, and names candidate and digest.
 * - K1: `prepare` is an effect behind `intended`.
 * - K2: a candidate with a tombstone is never reviewed or prepared again.
 * - K3: `undo` begins only when the machine knows of no prepare of the candidate that still runs.
 * - K5: time ends a prepare that runs; it never undoes what is ready.
 * - The repeat of a command gets the first answer: it is read from the journal.
 */
import type { CandidateId } from "@greco/domain/model";
import type { Review } from "@greco/contracts/greco/conductor/v1/conductor";
import type { Finding } from "./conductor.ts";
import {
  fold,
  UNKNOWN_BASE,
  type CandidateState,
  type JournalEntry,
  type JournalState,
  type StoredAccept,
  type StoredRef,
} from "./journal.ts";

export type Busy =
  | { readonly doing: "reviewing" | "releasing" | "undoing" }
  /** `undo`: the outcome came meanwhile, and its undo waits for the end (K3). */
  | { readonly doing: "preparing"; readonly undo?: Told };

export type MachineState = {
  readonly incarnation: number;
  readonly journal: JournalState;
  readonly busy: ReadonlyMap<CandidateId, Busy>;
};

/** Which command an answer answers. */
export type Told = {
  readonly commandId: string;
  readonly candidate: CandidateId;
  readonly digest: string;
};

export type MachineEvent =
  /** `request` is what to look at; the machine only hands it on. */
  | (Told & { readonly type: "review"; readonly base: number; readonly request: Review })
  | (Told & {
      readonly type: "reviewed";
      readonly base: number;
      readonly vote:
        | { readonly vote: "accept"; readonly accept: StoredAccept }
        | { readonly vote: "veto"; readonly findings: readonly Finding[] }
        /** The review could not be made: no vote, the next announcement tries again. */
        | { readonly vote: "none" };
    })
  | (Told & { readonly type: "prepare"; readonly remainingMs: number | undefined })
  /** Before the first create, and before each further one that was not foreseen (K1, K4). */
  | {
      readonly type: "intend";
      readonly candidate: CandidateId;
      readonly objects: readonly string[];
      readonly keeps: readonly string[];
    }
  | (Told & {
      readonly type: "prepareEnded";
      readonly result:
        | { readonly ok: true; readonly bindings: readonly StoredRef[] }
        | { readonly ok: false; readonly findings: readonly Finding[] };
    })
  /** The time that the coordinator leaves for this candidate's phase is over. */
  | { readonly type: "deadline"; readonly candidate: CandidateId }
  | (Told & {
      readonly type: "settle";
      readonly committed: boolean;
      readonly version: number;
      readonly armed: boolean;
      /** The candidate's; 0: it was not told, or is the first. */
      readonly base: number;
      /** The newest version that was seen; -1: none was since the start. */
      readonly head: number;
    })
  | (Told & { readonly type: "released"; readonly version: number; readonly armed: boolean })
  | (Told & { readonly type: "undone" })
  | { readonly type: "retired"; readonly bindings: readonly string[] }
  /** The process has started: undos that the journal owes are done without being asked again. */
  | { readonly type: "started" };

export type AnswerBody =
  | { readonly type: "accept"; readonly accept: StoredAccept }
  | { readonly type: "veto"; readonly findings: readonly Finding[] }
  | { readonly type: "ready"; readonly bindings: readonly StoredRef[] }
  | { readonly type: "failed"; readonly findings: readonly Finding[] }
  | { readonly type: "settled"; readonly committed: boolean };

export type MachineEffect =
  | { readonly type: "answer"; readonly told: Told; readonly body: AnswerBody }
  | { readonly type: "review"; readonly told: Told; readonly request: Review }
  | { readonly type: "prepare"; readonly told: Told; readonly remainingMs: number | undefined }
  | { readonly type: "abortPrepare"; readonly candidate: CandidateId }
  | {
      readonly type: "release";
      readonly told: Told;
      readonly version: number;
      readonly armed: boolean;
    }
  | { readonly type: "undo"; readonly told: Told }
  | { readonly type: "ignore"; readonly candidate: CandidateId; readonly why: string };

export type Step = {
  readonly state: MachineState;
  /** To be durable before the state counts and the effects happen. */
  readonly entries: readonly JournalEntry[];
  readonly effects: readonly MachineEffect[];
};

export function step(state: MachineState, event: MachineEvent): Step {
  switch (event.type) {
    case "review":
      return onReview(state, event);
    case "reviewed":
      return onReviewed(state, event);
    case "prepare":
      return onPrepare(state, event);
    case "intend":
      return onIntend(state, event);
    case "prepareEnded":
      return onPrepareEnded(state, event);
    case "deadline":
      return onDeadline(state, event.candidate);
    case "settle":
      return event.committed ? onCommitted(state, event) : onAborted(state, event);
    case "released": {
      const { candidate, version, armed } = event;
      const entry: JournalEntry = { type: "released", candidate, version, armed };
      return next(idle(state, candidate), [entry], [settled(event, true)]);
    }
    case "undone": {
      const { candidate } = event;
      return next(idle(state, candidate), [{ type: "undone", candidate }], [settled(event, false)]);
    }
    case "retired":
      return next(state, [{ type: "retired", bindings: event.bindings }], []);
    case "started":
      return onStarted(state);
  }
}

type Event<T extends MachineEvent["type"]> = Extract<MachineEvent, { readonly type: T }>;

function onReview(state: MachineState, event: Event<"review">): Step {
  const known = state.journal.candidates.get(event.candidate);
  if (known === undefined) {
    if (state.busy.has(event.candidate)) return ignore(state, event, "is being reviewed");
    if (event.base < state.journal.head) return ignore(state, event, "its base lies below the head");
    const reviewing = busy(state, event.candidate, { doing: "reviewing" });
    return next(reviewing, [], [{ type: "review", told: told(event), request: event.request }]);
  }
  if (known.digest !== event.digest) return ignore(state, event, "another digest than the first time");
  const vote = voteOf(known);
  return vote === undefined
    ? ignore(state, event, `it is decided: ${known.phase} (K2)`)
    : next(state, [], [answer(event, vote)]);
}

function onReviewed(state: MachineState, event: Event<"reviewed">): Step {
  const { candidate, digest, base } = event;
  // The outcome came while it was being reviewed: a tombstone stands, and there is nothing to vote on (K2).
  if (state.journal.candidates.has(candidate)) return ignore(state, event, "decided during the review");
  const free = idle(state, candidate);
  if (event.vote.vote === "none") return next(free, [], []);
  const entry: JournalEntry =
    event.vote.vote === "accept"
      ? { type: "accepted", candidate, digest, base, accept: event.vote.accept }
      : { type: "vetoed", candidate, digest, base, findings: event.vote.findings };
  const after = next(free, [entry], []);
  const known = after.state.journal.candidates.get(candidate);
  const vote = known === undefined ? undefined : voteOf(known);
  return vote === undefined ? after : { ...after, effects: [answer(event, vote)] };
}

function onPrepare(state: MachineState, event: Event<"prepare">): Step {
  const known = state.journal.candidates.get(event.candidate);
  // Also the refusal of a tombstone that was compacted away (K2).
  if (known === undefined) return ignore(state, event, "never accepted here");
  if (known.digest !== event.digest) return ignore(state, event, "another digest than what was accepted");
  switch (known.phase) {
    case "accepted":
    case "preparing":
      if (state.busy.has(event.candidate)) return ignore(state, event, "is being prepared");
      return next(
        busy(state, event.candidate, { doing: "preparing" }),
        [],
        [{ type: "prepare", told: told(event), remainingMs: event.remainingMs }],
      );
    case "ready":
      return next(state, [], [answer(event, { type: "ready", bindings: known.bindings })]);
    case "failed":
      return next(state, [], [answer(event, { type: "failed", findings: known.findings })]);
    case "vetoed":
    case "released":
      return ignore(state, event, `it is ${known.phase}`);
    case "undoing":
    case "undone":
      return ignore(state, event, `a tombstone stands: it is ${known.phase} (K2)`);
  }
}

function onIntend(state: MachineState, event: Event<"intend">): Step {
  const known = state.journal.candidates.get(event.candidate);
  const open = known?.phase === "accepted" || known?.phase === "preparing";
  if (!open || state.busy.get(event.candidate)?.doing !== "preparing")
    return ignore(state, event, "does not prepare any more (K2)");
  const { candidate, objects, keeps } = event;
  const { incarnation } = state;
  return next(state, [{ type: "intended", candidate, incarnation, objects, keeps }], []);
}

function onPrepareEnded(state: MachineState, event: Event<"prepareEnded">): Step {
  const { candidate, result } = event;
  const { incarnation } = state;
  const doing = state.busy.get(candidate);
  if (doing?.doing !== "preparing") return ignore(state, event, "does not prepare");
  const free = idle(state, candidate);
  // K3: the outcome came meanwhile, and the undo waited for this end.
  if (doing.undo !== undefined)
    return next(busy(free, candidate, { doing: "undoing" }), [], [{ type: "undo", told: doing.undo }]);
  if (result.ok) {
    const { bindings } = result;
    const entry: JournalEntry = { type: "prepared", candidate, incarnation, bindings };
    return next(free, [entry], [answer(event, { type: "ready", bindings })]);
  }
  const { findings } = result;
  const entry: JournalEntry = { type: "failed", candidate, incarnation, findings };
  return next(free, [entry], [answer(event, { type: "failed", findings })]);
}

function onDeadline(state: MachineState, candidate: CandidateId): Step {
  // K5: only a prepare that runs is ended by time. What is ready stays until the outcome is told.
  if (state.busy.get(candidate)?.doing === "preparing")
    return next(state, [], [{ type: "abortPrepare", candidate }]);
  return next(state, [], []);
}

function onCommitted(state: MachineState, event: Event<"settle">): Step {
  const known = state.journal.candidates.get(event.candidate);
  // Compacted away, so released long ago: it cannot have been committed without our vote (I1).
  if (known === undefined) return next(state, [], [settled(event, true)]);
  if (known.digest !== event.digest) return ignore(state, event, "another digest than what was accepted");
  if (known.phase === "released") {
    const disarms = known.armed && !event.armed;
    const entries: JournalEntry[] = disarms ? [{ type: "disarmed", candidate: event.candidate }] : [];
    return next(state, entries, [settled(event, true)]);
  }
  if (known.phase !== "ready")
    return ignore(state, event, `told that it is committed, but it is ${known.phase} here (I1)`);
  if (state.busy.has(event.candidate)) return ignore(state, event, "is being released");
  const { version, armed } = event;
  return next(
    busy(state, event.candidate, { doing: "releasing" }),
    [],
    [{ type: "release", told: told(event), version, armed }],
  );
}

function onAborted(state: MachineState, event: Event<"settle">): Step {
  const { candidate, digest } = event;
  const known = state.journal.candidates.get(candidate);
  const doing = state.busy.get(candidate)?.doing;
  if (known !== undefined && known.digest !== digest)
    return ignore(state, event, "another digest than the first time");
  if (known?.phase === "undone") return next(state, [], [settled(event, false)]);
  if (known?.phase === "released" || doing === "releasing")
    return ignore(state, event, "told that it is discarded, but it was told committed before (I2)");
  // K2: the tombstone is durable before anything is removed, also for a candidate never heard of.
  const entries: JournalEntry[] = known?.phase === "undoing" ? [] : [tombstoneOf(state, event)];
  // K3: what still runs is ended first; its end brings the undo.
  if (doing === "preparing") {
    const ending = busy(state, candidate, { doing, undo: told(event) });
    return next(ending, entries, [{ type: "abortPrepare", candidate }]);
  }
  if (doing === "undoing") return ignore(state, event, "is being undone");
  return next(busy(state, candidate, { doing: "undoing" }), entries, [{ type: "undo", told: told(event) }]);
}

/**
 * K2: a tombstone stands until the head is above its candidate's base: then nobody reviews it again. A base that was
 * not told counts as the head that is known; if none is known, the tombstone is kept.
 */
function tombstoneOf({ journal }: MachineState, event: Event<"settle">): JournalEntry {
  const { candidate, digest } = event;
  const known = event.head < 0 ? UNKNOWN_BASE : Math.max(event.head, journal.head);
  const base = event.base > 0 ? event.base : known;
  return { type: "tombstoned", candidate, digest, base, head: Math.max(0, event.head) };
}

/** Nobody asked: the answer goes out when the outcome is told again. */
function onStarted(state: MachineState): Step {
  const owed = [...state.journal.candidates].filter(([, each]) => each.phase === "undoing");
  const doing = owed.reduce((all, [candidate]) => busy(all, candidate, { doing: "undoing" }), state);
  const effects = owed.map(([candidate, { digest }]): MachineEffect => {
    return { type: "undo", told: { commandId: "", candidate, digest } };
  });
  return next(doing, [], effects);
}

function voteOf(known: CandidateState): AnswerBody | undefined {
  if (known.phase === "vetoed") return { type: "veto", findings: known.findings };
  return "accept" in known ? { type: "accept", accept: known.accept } : undefined;
}

const told = ({ commandId, candidate, digest }: Told): Told => ({ commandId, candidate, digest });

const answer = (to: Told, body: AnswerBody): MachineEffect => ({ type: "answer", told: told(to), body });
const settled = (to: Told, committed: boolean): MachineEffect => answer(to, { type: "settled", committed });

function next(
  state: MachineState,
  entries: readonly JournalEntry[],
  effects: readonly MachineEffect[],
): Step {
  return { state: { ...state, journal: entries.reduce(fold, state.journal) }, entries, effects };
}

const ignore = (state: MachineState, event: { readonly candidate: CandidateId }, why: string): Step =>
  next(state, [], [{ type: "ignore", candidate: event.candidate, why }]);

const busy = (state: MachineState, candidate: CandidateId, doing: Busy): MachineState => ({
  ...state,
  busy: new Map(state.busy).set(candidate, doing),
});

function idle(state: MachineState, candidate: CandidateId): MachineState {
  const after = new Map(state.busy);
  after.delete(candidate);
  return { ...state, busy: after };
}
