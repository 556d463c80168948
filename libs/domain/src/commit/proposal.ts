/**
 * One run of the commit protocol for one candidate (DESIGN §4), as a union by phase. `queued → proposed →
 * accepted → ready → committed → marked → settled`, or aborted from any phase before committed, then settled.
 * `aborting` is the only phase that is never stored: the wish to abort, which the registry's
 * compare-and-swap has still to grant (I2).
 */
import type { CandidateId, ConductorId, EntityIdentity, Epoch, ModelId } from "../model/ids.ts";
import type { ReadyBinding, Voter } from "./vote.ts";

export const PHASES = [
  "queued",
  "proposed",
  "accepted",
  "ready",
  "aborting",
  "committed",
  "marked",
  "aborted",
  "settled",
] as const;
export type Phase = (typeof PHASES)[number];

export const ABORT_CAUSES = ["vetoed", "failed", "expired", "withdrawn", "stale"] as const;
export type AbortCause = (typeof ABORT_CAUSES)[number];

/** Where the candidate's content comes from. */
export type Origin =
  | { readonly kind: "draft"; readonly draft: string; readonly etag: string }
  | { readonly kind: "rollback"; readonly toVersion: Epoch }
  | { readonly kind: "join"; readonly conductor: ConductorId }
  /** The way back of an unconfirmed commit. */
  | { readonly kind: "revert"; readonly of: string; readonly toVersion: Epoch };

/** What is known from the first moment and never changes. */
export type ProposalFacts = {
  readonly model: ModelId;
  readonly proposal: string;
  readonly origin: Origin;
  readonly actor: string;
  readonly reason: string;
  readonly createdAtMs: number;
  /** Set: revert by itself unless confirmed within this time after the commit. */
  readonly confirmWithinMs: number | undefined;
  /** W3C's traceparent of the call that made it; told on, never acted on. */
  readonly trace?: string;
};

export type CandidateFacts = {
  readonly id: CandidateId;
  readonly digest: string;
  readonly base: Epoch;
  readonly changeCount: number;
  readonly author: string;
  /** Streams in whose lanes the marker must stand, without the built-in ones. */
  readonly scope: readonly EntityIdentity[];
};

/** Fixed in the moment in which the proposal took the slot. */
export type Frozen = {
  readonly candidate: CandidateFacts;
  /** The registrations that the voters were taken from; promote compares it. */
  readonly registrationsRevision: number;
};

/** Time that the present phase has left. Only live time is counted, so no clock can jump over it. */
export type Deadline = { readonly remainingMs: number };

export type Abort = {
  readonly cause: AbortCause;
  /** In a sentence, with what to do. */
  readonly message: string;
  readonly by: string;
  readonly atMs: number;
};

/** Confirm or revert, decided once by the compare-and-swap of the proposal's record. */
export type Confirmation =
  | { readonly state: "armed"; readonly remainingMs: number }
  | { readonly state: "confirmed"; readonly by: string; readonly atMs: number }
  /** Decided, and being done by a proposal of its own, as often as it takes. */
  | { readonly state: "reverting"; readonly proposal: string; readonly attempt: number }
  | { readonly state: "reverted"; readonly proposal: string };

type Base = { readonly facts: ProposalFacts };
type Voting = Base & {
  readonly frozen: Frozen;
  readonly voters: readonly Voter[];
  /** Affected entities that need exactly one claim, as resource names. */
  readonly claimable: readonly string[];
  readonly deadline: Deadline;
};

export type Queued = Base & { readonly phase: "queued"; readonly deadline: Deadline };
export type Proposed = Voting & { readonly phase: "proposed" };
export type Accepted = Voting & { readonly phase: "accepted" };
export type Ready = Voting & { readonly phase: "ready" };
export type Undecided = Queued | Proposed | Accepted | Ready;

export type Aborting = Base & {
  readonly phase: "aborting";
  readonly abort: Abort;
  readonly from: Undecided;
};

export type Committed = Base & {
  readonly phase: "committed" | "marked";
  readonly frozen: Frozen;
  readonly voters: readonly Voter[];
  readonly version: Epoch;
  readonly committedAtMs: number;
  /** Of all voters, in the order of their names: what the ledger says of this version. */
  readonly bindings: readonly ReadyBinding[];
  readonly confirmation: Confirmation | undefined;
};

export type Aborted = Base & {
  readonly phase: "aborted";
  /** Undefined: aborted before its turn, so nobody was asked. */
  readonly frozen: Frozen | undefined;
  readonly voters: readonly Voter[];
  readonly abort: Abort;
};

export type Outcome =
  | ({ readonly committed: true } & Pick<
      Committed,
      "version" | "committedAtMs" | "bindings" | "confirmation"
    >)
  | { readonly committed: false; readonly abort: Abort };

export type Settled = Base & {
  readonly phase: "settled";
  readonly frozen: Frozen | undefined;
  readonly voters: readonly Voter[];
  readonly outcome: Outcome;
};

export type Proposal = Undecided | Aborting | Committed | Aborted | Settled;

export function isDecided(proposal: Proposal): proposal is Committed | Aborted | Settled {
  return ["committed", "marked", "aborted", "settled"].includes(proposal.phase);
}

export function votersOf(proposal: Proposal): readonly Voter[] {
  if (proposal.phase === "queued") return [];
  return proposal.phase === "aborting" ? votersOf(proposal.from) : proposal.voters;
}

export function frozenOf(proposal: Proposal): Frozen | undefined {
  if (proposal.phase === "queued") return undefined;
  return proposal.phase === "aborting" ? frozenOf(proposal.from) : proposal.frozen;
}

/** How it ended; undefined while it is open. */
export function outcomeOf(proposal: Proposal): Outcome | undefined {
  switch (proposal.phase) {
    case "committed":
    case "marked": {
      const { version, committedAtMs, bindings, confirmation } = proposal;
      return { committed: true, version, committedAtMs, bindings, confirmation };
    }
    case "aborted":
      return { committed: false, abort: proposal.abort };
    case "settled":
      return proposal.outcome;
    default:
      return undefined;
  }
}
