/** What a voter has said of a candidate, and what it said with it. */
import type { ConductorId, EntityIdentity } from "../model/ids.ts";

/** Something that is wrong, where, why, and what to do. */
export type VoteFinding = {
  readonly severity: "warning" | "error";
  /** `models/{m}/entities/{kind}/{name}`; empty: the change set as a whole. */
  readonly entity: string;
  readonly fieldPath: string;
  /** 1-based; 0: none. */
  readonly column: number;
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
};

export type PlannedStep = {
  readonly action: "create" | "update" | "delete";
  readonly object: string;
  readonly entity: string;
  readonly risk: "low" | "medium" | "high";
  readonly note: string;
};

export type ConductorPlan = {
  readonly steps: readonly PlannedStep[];
  readonly prepareMs: number;
  readonly cost: string;
  /** Affected entities that this conductor makes its own, as resource names. */
  readonly claims: readonly string[];
};

/** A binding that the candidate changes. Undefined hash: removed. */
export type ReadyBinding = { readonly entity: EntityIdentity; readonly hash: string | undefined };

/** Durable in the voter's journal before it was sent (I1), so hearing it is enough. */
export type Vote =
  | { readonly stage: "asked" }
  | { readonly stage: "accepted"; readonly plan: ConductorPlan }
  | { readonly stage: "ready"; readonly plan: ConductorPlan; readonly bindings: readonly ReadyBinding[] }
  | { readonly stage: "vetoed"; readonly findings: readonly VoteFinding[] }
  | { readonly stage: "failed"; readonly plan: ConductorPlan; readonly findings: readonly VoteFinding[] };

export type Voter = {
  readonly conductor: ConductorId;
  readonly vote: Vote;
  /** It has confirmed the outcome: released, or undone. */
  readonly released: boolean;
  /** It has confirmed that the way back needs nothing any more (confirmed commit). */
  readonly disarmed: boolean;
  /** Deregistered meanwhile: not waited for. */
  readonly excused: boolean;
};

export type Answer =
  | {
      readonly kind: "accept";
      readonly plan: ConductorPlan;
      /** Nothing to prepare: the accept carries ready. */
      readonly ready?: readonly ReadyBinding[];
    }
  | { readonly kind: "veto"; readonly findings: readonly VoteFinding[] }
  | { readonly kind: "ready"; readonly bindings: readonly ReadyBinding[] }
  | { readonly kind: "failed"; readonly findings: readonly VoteFinding[] }
  | { readonly kind: "settled"; readonly committed: boolean };

export const noPlan: ConductorPlan = { steps: [], prepareMs: 0, cost: "", claims: [] };

export function unheard(conductor: ConductorId): Voter {
  return { conductor, vote: { stage: "asked" }, released: false, disarmed: false, excused: false };
}
