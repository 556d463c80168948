/**
 * What the author of a conductor writes: its opinion, and how its region is made to agree with the model.
 * Everything else (voting, journal, recovery, pins, retire) is the kit's.
 *
 * - `review` changes nothing. A veto is a value.
 * - `prepare` makes before break. All that can fail, fails here.
 * - `release`, `undo` and `retire` have no way to say no: when they throw they are called again, with
 *   backoff, and shown as lagging. They must be idempotent: a crash repeats them.
 */
import type { CandidateId, EntityIdentity, EntityKey, ModelId } from "@greco/domain/model";
import type { LedgerFollower } from "@greco/lane-kit";

/** What is wrong, where, why, and what to do about it. */
export type Finding = {
  readonly severity: "error" | "warning";
  /** Empty: the change set as a whole. */
  readonly entity: EntityKey | "";
  /** Dot path into the spec: `select.payout`; empty: the entity as a whole. */
  readonly fieldPath: string;
  /** In the field's text, 1-based; absent: none. */
  readonly column?: number;
  /** UPPER_SNAKE_CASE, stable. */
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
};

export type PlanStep = {
  readonly action: "create" | "update" | "delete";
  /** What is touched in the region: `program late-flights@7`. */
  readonly object: string;
  readonly entity: EntityKey;
  readonly risk: "low" | "medium" | "high";
  readonly note: string;
};

export type Plan = {
  readonly steps: readonly PlanStep[];
  readonly prepareTimeMs: number;
  /** In words; empty: none. */
  readonly cost: string;
};

export type Accept = {
  readonly vote: "accept";
  /** Affected entities that this conductor makes its own. */
  readonly claims: readonly EntityKey[];
  readonly plan: Plan;
};
export type Veto = { readonly vote: "veto"; readonly findings: readonly Finding[] };

/** One entity as of a version. `spec` is parsed JSON; it must not be changed. */
export type ViewEntity = {
  readonly key: EntityKey;
  readonly identity: EntityIdentity;
  readonly specJson: string;
  readonly spec: unknown;
};

/** The model at one version, as far as the conductor's kinds and what it `watches` go. */
export interface ModelView {
  readonly version: number;
  get(key: EntityKey): ViewEntity | undefined;
  /** In no order. */
  ofKind(kind: string): Iterable<ViewEntity>;
}

/** An entity that changes, or that refers to one that does, and is of the conductor's kinds. */
export type Affected = {
  readonly key: EntityKey;
  readonly identity: EntityIdentity;
  /** `none`: itself unchanged. */
  readonly change: "create" | "update" | "delete" | "none";
  readonly before: ViewEntity | undefined;
  readonly after: ViewEntity | undefined;
};

export type ReviewRequest = {
  readonly model: ModelId;
  /** Undefined: a plan. */
  readonly candidate: CandidateId | undefined;
  readonly affected: readonly Affected[];
  readonly before: ModelView;
  readonly after: ModelView;
  /** This conductor joins: it looks at the head as it is, and every entity of its kinds is affected. */
  readonly join: boolean;
};

export type Preparation = {
  readonly model: ModelId;
  readonly candidate: CandidateId;
  /** What was claimed in the vote. */
  readonly claimed: readonly Affected[];
  readonly before: ModelView;
  readonly after: ModelView;
  /**
   * K1: say what will be created outside *before* it is created; durable when it resolves. Names are the
   * author's own. `undo` gets them back, and they are pinned for this candidate (K4).
   */
  intend(objects: readonly string[]): Promise<void>;
  /**
   * Its binding was in force, and the data plane has lost it. The model may have moved on: what an object outside has
   * beside what the binding names (capacity, say) is the newest epoch's, and not to be changed.
   */
  readonly again?: true;
};

/** What a claimed entity becomes in the data plane. Deleted entities are the kit's business. */
export type NewBinding = {
  readonly entity: EntityIdentity;
  /** JSON text, canonical. */
  readonly content: string;
  /** Objects outside that it stands on, of those intended: pinned until the binding is retired (K4). */
  readonly uses?: readonly string[];
};

export type Outcome = {
  readonly model: ModelId;
  readonly candidate: CandidateId;
  readonly claims: readonly EntityKey[];
  /** What was intended (K1); for undo, what of it nobody else needs (K4). */
  readonly objects: readonly string[];
};

export type Retirement = {
  readonly model: ModelId;
  readonly entity: EntityIdentity;
  readonly candidate: CandidateId;
  /** Objects outside that nothing pins any more: to be deleted now. */
  readonly free: readonly string[];
};

/**
 * What is in force at the newest epoch, of the conductor's kinds and its own (`owns`), and what lanes that are behind, or
 * a replay, may still need of older ones. What a proposal is changing is not among the bindings, and is to be left as it
 * is.
 */
export type InForce = {
  readonly model: ModelId;
  readonly version: number;
  readonly view: ModelView;
  readonly bindings: readonly StandingBinding[];
  /** The newest first. */
  readonly superseded: readonly (StandingBinding & {
    /** The one that it came with. */
    readonly version: number;
    /** The model at that version. */
    view(signal: AbortSignal): Promise<ModelView>;
  })[];
};

export type StandingBinding = {
  readonly entity: EntityIdentity;
  readonly candidate: CandidateId;
  readonly content: string;
};

/** What the author's own work stands on, in one model and for one session. */
export type Attendance = {
  readonly model: ModelId;
  readonly ledger: LedgerFollower;
  /**
   * Whether a proposal has intended the object outside whose outcome is not in the ledger yet, which is being taken back,
   * or which waits for its confirmation and would want the object again: until then it is that proposal's.
   */
  isIntended(object: string): boolean;
  /** Whether no other process has taken over by now: a session learns of that only at its lease's next renewal. */
  acts(signal: AbortSignal): Promise<boolean>;
};

/** Something outside that is not as the epoch says. */
export type Drift = {
  /** Empty: not of one entity. */
  readonly entity: EntityKey | "";
  /** What is touched in the region: `function greco-m-late-7-…, version 3`. */
  readonly object: string;
  /** UPPER_SNAKE_CASE, stable. */
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
  /** Set by `mend`. */
  readonly mended?: boolean;
};

/** A query's place among streams and tables, by their names. */
export type Flow = { readonly from: string; readonly to: string; readonly tables: readonly string[] };

/** All that can fail in prepare fails with this; anything else thrown is reported as one finding. */
export class PrepareError extends Error {
  override name = "PrepareError";
  readonly findings: readonly Finding[];
  constructor(findings: readonly Finding[]) {
    super(findings.map((finding) => `${finding.entity}: ${finding.message}`).join("; "));
    this.findings = findings;
  }
}

export interface Conductor {
  /** `streams`: becomes `conductors/streams`. */
  readonly name: string;
  /** Kinds that it owns. */
  readonly kinds: readonly string[];
  /** Further kinds that its reviews look at. */
  readonly watches?: readonly string[];
  review(request: ReviewRequest, signal: AbortSignal): Promise<Accept | Veto>;
  /**
   * The same from the same, for ever: a binding that the data plane has lost is made again by another prepare of
   * its candidate, and is of use only if it is the same to the byte (R6).
   * K3: it settles only when no request of its to the outside is under way any more, also when it is aborted.
   */
  prepare(preparation: Preparation, signal: AbortSignal): Promise<readonly NewBinding[]>;
  release(outcome: Outcome, signal: AbortSignal): Promise<void>;
  /** Removes what was intended and nobody else needs. Not called where nothing was intended. */
  undo(outcome: Outcome, signal: AbortSignal): Promise<void>;
  retire(retirement: Retirement, signal: AbortSignal): Promise<void>;
  /**
   * Of which streams (`stream/flights`) the lanes run a binding; `flows` are the queries that were in force with
   * it; that rejects where it cannot be told, and what it rejects with is to be let through (I13). Absent: of all
   * that the epochs' scopes name, which keeps bindings longer than need be.
   */
  inputsOf?(
    binding: { readonly entity: EntityIdentity; readonly content: string },
    flows: () => Promise<readonly Flow[]>,
  ): Promise<readonly EntityKey[]>;
  /** For a kind shared with other conductors: whether this one would claim the entity. Default: every one. */
  takes?(entity: Affected): boolean;
  /** For a kind shared with other conductors: whether a binding of it is this one's. Default: all are. */
  owns?(content: string): boolean;
  /**
   * What outside differs from what is in force, and is missing of what is superseded. Changes nothing. Absent: nothing
   * outside can.
   */
  inspect?(inForce: InForce, signal: AbortSignal): Promise<readonly Drift[]>;
  /**
   * Puts back what `inspect` finds, as far as it can; tells all that it found, and what of it is mended. Called with
   * the bindings of the entities that `inspect` has named just before (of all, where it named none), under their
   * locks. Creates nothing outside that those bindings do not stand on (K1). It settles only when no request of its
   * to the outside is under way any more, also when it is aborted (K3).
   */
  mend?(inForce: InForce, signal: AbortSignal): Promise<readonly Drift[]>;
  /**
   * Work of its own beside what proposals ask for, such as what follows a crossing: for as long as this process acts for
   * the conductor in the model, or has not learnt yet that another one does (`acts`). It ends with the signal; what it
   * fails with is logged, and it begins again.
   */
  attend?(attendance: Attendance, signal: AbortSignal): Promise<never>;
  /** What its own credentials and permissions lack. Changes nothing. */
  checkAccess?(signal: AbortSignal): Promise<readonly Drift[]>;
}
