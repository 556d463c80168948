/**
 * The journal of a conductor: what it promised, durable before it is sent (I1), folded into what it
 * must still honour. Pure; the session stores the entries.
 *
 * K1: `intended` stands before the first create. K2: `tombstoned` stands for ever, or as long as the
 * candidate's base is not below the head. K4: `pinned` reads every pin out of the fold.
 */
import type { CandidateId, EntityIdentity, EntityKey } from "@greco/domain/model";
import type { Finding, Plan } from "./conductor.ts";

export type StoredAccept = {
  readonly claims: readonly EntityKey[];
  readonly plan: Plan;
  /** Nothing affected is of its kinds, or nothing was claimed: the accept carries ready. */
  readonly ready: boolean;
  /** A confirmed commit: what the way back needs is kept (K4). */
  readonly wayBack: boolean;
  /** Bindings that the way back needs of what is not claimed, and so not prepared here. Absent: none. */
  readonly keeps?: readonly string[];
};

/** An answer's reference to a binding; an empty hash: removed. */
export type StoredRef = {
  readonly entity: EntityIdentity;
  readonly hash: string;
  readonly uses?: readonly string[];
};

export type JournalEntry =
  | {
      readonly type: "accepted";
      readonly candidate: CandidateId;
      readonly digest: string;
      readonly base: number;
      readonly accept: StoredAccept;
    }
  | {
      readonly type: "vetoed";
      readonly candidate: CandidateId;
      readonly digest: string;
      readonly base: number;
      readonly findings: readonly Finding[];
    }
  | {
      readonly type: "intended";
      readonly candidate: CandidateId;
      readonly incarnation: number;
      readonly objects: readonly string[];
      /** Bindings of older epochs that the way back, or what is restored, needs (K4). */
      readonly keeps: readonly string[];
    }
  | {
      readonly type: "prepared";
      readonly candidate: CandidateId;
      /** Whose prepare has ended: nothing of it is under way any more. */
      readonly incarnation: number;
      readonly bindings: readonly StoredRef[];
    }
  | {
      readonly type: "failed";
      readonly candidate: CandidateId;
      readonly incarnation: number;
      readonly findings: readonly Finding[];
    }
  | {
      readonly type: "tombstoned";
      readonly candidate: CandidateId;
      readonly digest: string;
      /** The candidate's, or no lower. Absent in what older versions wrote. */
      readonly base?: number;
      /** The newest version that was seen: the head is not below it. */
      readonly head?: number;
    }
  | { readonly type: "undone"; readonly candidate: CandidateId }
  | {
      readonly type: "released";
      readonly candidate: CandidateId;
      readonly version: number;
      readonly armed: boolean;
    }
  | { readonly type: "disarmed"; readonly candidate: CandidateId }
  | { readonly type: "retired"; readonly bindings: readonly string[] };

type Voted = { readonly digest: string; readonly base: number };
type Open = Voted & { readonly accept: StoredAccept };
type Begun = Open & {
  readonly objects: readonly string[];
  readonly keeps: readonly string[];
  /** Incarnations that began a prepare and never told of its end: a request of theirs may be under way (K3). */
  readonly unended: readonly number[];
};

export type CandidateState =
  | (Open & { readonly phase: "accepted" })
  | (Voted & { readonly phase: "vetoed"; readonly findings: readonly Finding[] })
  | (Begun & { readonly phase: "preparing" })
  | (Begun & { readonly phase: "ready"; readonly bindings: readonly StoredRef[] })
  | (Begun & { readonly phase: "failed"; readonly findings: readonly Finding[] })
  | (Voted & {
      readonly phase: "undoing";
      readonly objects: readonly string[];
      readonly claims: readonly EntityKey[];
      readonly unended: readonly number[];
    })
  | (Voted & { readonly phase: "undone" })
  /** Decided: the vote is of no interest any more. */
  | (Voted & {
      readonly phase: "released";
      readonly version: number;
      readonly armed: boolean;
      readonly keeps: readonly string[];
    });

export type JournalState = {
  /** The newest version that the journal knows of: released, or seen when a tombstone was set. */
  readonly head: number;
  readonly candidates: ReadonlyMap<CandidateId, CandidateState>;
  /** Objects outside that released bindings stand on: binding object → names (K4). */
  readonly uses: ReadonlyMap<string, readonly string[]>;
};

export const emptyJournal: JournalState = { head: 0, candidates: new Map(), uses: new Map() };

/** The one name of a binding row among the objects that may be intended, kept and pinned. */
export const bindingObject = (entity: EntityIdentity, candidate: CandidateId): string =>
  `binding/${entity}#${candidate}`;

/** Base unknown: neither was it reviewed here, nor was it told, nor is the head known. */
export const UNKNOWN_BASE = Number.MAX_SAFE_INTEGER;

export function fold(state: JournalState, entry: JournalEntry): JournalState {
  if (entry.type === "retired") {
    const uses = new Map(state.uses);
    for (const binding of entry.bindings) uses.delete(binding);
    return { ...state, uses };
  }
  const before = state.candidates.get(entry.candidate);
  const after = foldCandidate(before, entry);
  const candidates = new Map(state.candidates).set(entry.candidate, after);
  if (entry.type === "tombstoned")
    return { ...state, head: Math.max(state.head, entry.head ?? 0), candidates };
  if (entry.type !== "released") return { ...state, candidates };
  const uses = new Map(state.uses);
  for (const each of before?.phase === "ready" ? before.bindings : [])
    if (each.uses !== undefined) uses.set(bindingObject(each.entity, entry.candidate), each.uses);
  return { head: Math.max(state.head, entry.version), candidates, uses };
}

type OfCandidate = Exclude<JournalEntry, { readonly type: "retired" }>;

function foldCandidate(before: CandidateState | undefined, entry: OfCandidate): CandidateState {
  switch (entry.type) {
    case "accepted": {
      const { digest, base, accept } = entry;
      if (!accept.ready) return { phase: "accepted", digest, base, accept };
      return { phase: "ready", digest, base, accept, ...nothingBegun(accept), bindings: [] };
    }
    case "vetoed":
      return { phase: "vetoed", digest: entry.digest, base: entry.base, findings: entry.findings };
    case "intended": {
      const open = begun(before, entry);
      const objects = [...new Set([...open.objects, ...entry.objects])];
      const keeps = [...new Set([...open.keeps, ...entry.keeps])];
      const unended = [...new Set([...open.unended, entry.incarnation])];
      return { ...open, phase: "preparing", objects, keeps, unended };
    }
    case "prepared":
      return { ...ended(before, entry), phase: "ready", bindings: entry.bindings };
    case "failed":
      return { ...ended(before, entry), phase: "failed", findings: entry.findings };
    case "tombstoned":
      return {
        phase: "undoing",
        digest: entry.digest,
        base: before?.base ?? entry.base ?? UNKNOWN_BASE,
        objects: before !== undefined && "objects" in before ? before.objects : [],
        unended: before !== undefined && "unended" in before ? before.unended : [],
        claims: before !== undefined && "accept" in before ? before.accept.claims : [],
      };
    case "undone":
      return { phase: "undone", digest: before?.digest ?? "", base: before?.base ?? UNKNOWN_BASE };
    case "released": {
      const { version, armed } = entry;
      const { digest, base, keeps } = begun(before, entry);
      return { phase: "released", digest, base, version, armed, keeps };
    }
    case "disarmed":
      if (before?.phase !== "released") throw misplaced(before, entry);
      return { ...before, armed: false };
  }
}

function begun(before: CandidateState | undefined, entry: OfCandidate): Begun {
  if (before === undefined || !("accept" in before)) throw misplaced(before, entry);
  const { digest, base, accept } = before;
  const { objects, keeps, unended } = "objects" in before ? before : nothingBegun(accept);
  return { digest, base, accept, objects, keeps, unended };
}

const nothingBegun = ({ keeps = [] }: StoredAccept): Pick<Begun, "objects" | "keeps" | "unended"> => ({
  objects: [],
  keeps,
  unended: [],
});

function ended(
  before: CandidateState | undefined,
  entry: Extract<OfCandidate, { readonly incarnation: number }>,
): Begun {
  const all = begun(before, entry);
  return { ...all, unended: all.unended.filter((each) => each !== entry.incarnation) };
}

const misplaced = (before: CandidateState | undefined, entry: OfCandidate): Error =>
  new Error(
    `journal: "${entry.type}" of candidate ${entry.candidate} cannot follow "${before?.phase ?? "nothing"}"`,
  );

/**
 * Who pins an object (K4): candidates that prepare or are ready with it, an undo that is owed, an armed way
 * back, and released bindings that stand on it.
 */
export function pinnedBy(state: JournalState, object: string): readonly string[] {
  const holders: string[] = [];
  for (const [candidate, each] of state.candidates) {
    const open = each.phase === "preparing" || each.phase === "ready" || each.phase === "failed";
    const intends = (open || each.phase === "undoing") && each.objects.includes(object);
    const armed = each.phase === "released" && each.armed;
    if (intends || ((open || armed) && each.keeps.includes(object))) holders.push(candidate);
  }
  for (const [binding, names] of state.uses) if (names.includes(object)) holders.push(binding);
  return holders;
}

/**
 * Whether a candidate that is not settled, or an undo that is owed, has intended the object, or an armed way back keeps a
 * binding that stands on it.
 */
export function isIntended({ candidates, uses }: JournalState, object: string): boolean {
  const standsOn = (binding: string): boolean => uses.get(binding)?.includes(object) ?? false;
  return candidates.values().some((each) => {
    if ("objects" in each) return each.objects.includes(object);
    return each.phase === "released" && each.armed && each.keeps.some(standsOn);
  });
}

/** What is still needed, as one record. */
export type JournalSummary = {
  readonly head: number;
  readonly candidates: readonly (readonly [CandidateId, CandidateState])[];
  readonly uses: readonly (readonly [string, readonly string[]])[];
};

/**
 * Forgets released candidates that are not armed, and tombstones of candidates that can no longer be
 * promoted, since their base lies below the head: an unknown candidate is never prepared anyway.
 */
export function summarize(state: JournalState): JournalSummary {
  const needed = ([, each]: readonly [CandidateId, CandidateState]): boolean => {
    if (each.phase === "released") return each.armed;
    if (each.phase === "undone") return each.base >= state.head;
    return true;
  };
  return { head: state.head, candidates: [...state.candidates].filter(needed), uses: [...state.uses] };
}

export function fromSummary(summary: JournalSummary): JournalState {
  return {
    head: summary.head,
    candidates: new Map(summary.candidates),
    uses: new Map(summary.uses),
  };
}
