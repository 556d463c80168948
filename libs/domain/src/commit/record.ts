/**
 * A proposal as its record in the CP store: JSON of the state, kept small. What is large and needed for the
 * ledger goes beside it as `detail`, written before promote; what is large and can be had again (votes,
 * which voters repeat; claims, which the registry knows) is left out, and asked for again.
 */
import type { EntityIdentity } from "../model/ids.ts";
import {
  isDecided,
  outcomeOf,
  PHASES,
  type CandidateFacts,
  type Committed,
  type Outcome,
  type Proposal,
  type Ready,
} from "./proposal.ts";
import type { ReadyBinding, Vote, Voter } from "./vote.ts";

/** A record holds scope and bindings up to here; more goes into `detail`. */
const INLINE_MAX_BYTES = 48 * 1024;
/** All votes together; a record must fit into one transaction with room to spare. */
const VOTES_MAX_BYTES = 384 * 1024;
const VOTE_MAX_BYTES = 16 * 1024;
const SHOWN_MAX = 20;

export type EncodedProposal = { readonly record: Uint8Array; readonly detail: Uint8Array | undefined };
type Detail = { readonly scope: readonly EntityIdentity[]; readonly bindings: readonly ReadyBinding[] };
type Envelope = { readonly format: 1; readonly external: boolean; readonly proposal: Proposal };

const toBytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const fromBytes = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

export class ProposalRecordError extends Error {
  override name = "ProposalRecordError";
}

export function encodeProposal(state: Proposal): EncodedProposal {
  // The wish to abort is not stored: until the registry grants it, the proposal is what it was.
  const stored = state.phase === "aborting" ? state.from : state;
  const slim = slimmed(stored);
  const detail = detailOf(slim);
  const bytes = detail === undefined ? undefined : toBytes(detail);
  if (bytes === undefined || bytes.length <= INLINE_MAX_BYTES)
    return { record: pack(slim, false), detail: undefined };
  const without = withDetail(slim, { scope: [], bindings: [] });
  // Only the ledger needs it; before promote the scope is the registry's to tell, and after an abort nobody's.
  const needed = outcomeOf(slim)?.committed === true;
  return { record: pack(without, needed), detail: needed ? bytes : undefined };
}

function pack(proposal: Proposal, external: boolean): Uint8Array {
  return toBytes({ format: 1, external, proposal } satisfies Envelope);
}

/** `external`: scope and bindings are in `detail`; give it to `restoreDetail`. */
export function decodeProposal(record: Uint8Array): {
  readonly proposal: Proposal;
  readonly external: boolean;
} {
  let envelope: Partial<Envelope> | null;
  try {
    envelope = fromBytes(record) as Partial<Envelope> | null;
  } catch (cause) {
    throw new ProposalRecordError("a proposal's record is not JSON", { cause });
  }
  const phase = envelope?.proposal?.phase;
  if (
    envelope?.format !== 1 ||
    envelope.proposal === undefined ||
    phase === undefined ||
    !PHASES.includes(phase)
  )
    throw new ProposalRecordError(
      `a proposal's record has format ${envelope?.format} and phase ${phase}, which this version does not know`,
    );
  return { proposal: envelope.proposal, external: envelope.external === true };
}

export function restoreDetail(proposal: Proposal, detail: Uint8Array): Proposal {
  return withDetail(proposal, fromBytes(detail) as Detail);
}

function detailOf(state: Proposal): Detail | undefined {
  if (state.phase === "queued" || state.phase === "aborting" || state.frozen === undefined) return undefined;
  return { scope: state.frozen.candidate.scope, bindings: bindingsIn(state) };
}

function bindingsIn(state: Proposal): readonly ReadyBinding[] {
  if (state.phase === "committed" || state.phase === "marked") return state.bindings;
  return state.phase === "settled" && state.outcome.committed ? state.outcome.bindings : [];
}

function withDetail(state: Proposal, { scope, bindings }: Detail): Proposal {
  if (state.phase === "queued" || state.phase === "aborting" || state.frozen === undefined) return state;
  const candidate: CandidateFacts = { ...state.frozen.candidate, scope };
  const frozen = { ...state.frozen, candidate };
  if (state.phase === "committed" || state.phase === "marked")
    return { ...state, frozen, bindings } satisfies Committed;
  if (state.phase !== "settled") return { ...state, frozen };
  const outcome: Outcome = state.outcome.committed ? { ...state.outcome, bindings } : state.outcome;
  return { ...state, frozen, outcome };
}

function slimmed(state: Proposal): Proposal {
  if (state.phase === "queued" || state.phase === "aborting") return state;
  const share = Math.min(VOTE_MAX_BYTES, Math.floor(VOTES_MAX_BYTES / Math.max(1, state.voters.length)));
  const slim = isDecided(state) ? shown : kept;
  const voters = state.voters.map((voter) => slim(voter, share));
  if (isDecided(state)) return { ...state, voters };
  return whileUndecided({ ...state, voters, claimable: [] });
}

/** A ready that lost a vote on the way into the record is to hear that voter again. */
function whileUndecided(state: Exclude<Proposal, { phase: "queued" | "aborting" }>): Proposal {
  if (state.phase !== "ready" || state.voters.every((voter) => voter.vote.stage === "ready")) return state;
  return { ...(state satisfies Ready), phase: "accepted" };
}

/** Before the decision a vote counts only whole. */
function kept(voter: Voter, maxBytes: number): Voter {
  return toBytes(voter.vote).length <= maxBytes ? voter : { ...voter, vote: { stage: "asked" } };
}

/** Afterwards it is there for people; its bindings are in the outcome. */
function shown(voter: Voter, maxBytes: number): Voter {
  const vote = shownVote(voter.vote);
  return { ...voter, vote: toBytes(vote).length <= maxBytes ? vote : bare(vote) };
}

function shownVote(vote: Vote): Vote {
  const plan =
    "plan" in vote ? { ...vote.plan, claims: [], steps: vote.plan.steps.slice(0, SHOWN_MAX) } : undefined;
  const findings = "findings" in vote ? vote.findings.slice(0, SHOWN_MAX) : [];
  switch (vote.stage) {
    case "asked":
      return vote;
    case "accepted":
      return { ...vote, ...(plan && { plan }) };
    case "ready":
      return { ...vote, ...(plan && { plan }), bindings: [] };
    case "vetoed":
      return { ...vote, findings };
    case "failed":
      return { ...vote, ...(plan && { plan }), findings };
  }
}

function bare(vote: Vote): Vote {
  const empty = { steps: [], prepareMs: 0, cost: "", claims: [] };
  switch (vote.stage) {
    case "asked":
      return vote;
    case "accepted":
      return { stage: "accepted", plan: empty };
    case "ready":
      return { stage: "ready", plan: empty, bindings: [] };
    case "vetoed":
      return { stage: "vetoed", findings: vote.findings.slice(0, 1) };
    case "failed":
      return { stage: "failed", plan: empty, findings: vote.findings.slice(0, 1) };
  }
}
