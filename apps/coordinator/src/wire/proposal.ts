/** A proposal as the contract shows it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  AbortCause,
  Confirmation_State,
  Phase,
  type ConfirmationSchema,
  type ProposalSchema,
} from "@greco/contracts/greco/commit/v1/commit";
import {
  frozenOf,
  outcomeOf,
  votersOf,
  type Confirmation,
  type Origin,
  type Proposal,
} from "@greco/domain/commit";
import { draftName, proposalName } from "../names.ts";
import { toDuration, toTimestamp } from "./time.ts";
import { fromVoter } from "./votes.ts";

export type ProposalInit = MessageInitShape<typeof ProposalSchema>;

const PHASES = {
  queued: Phase.QUEUED,
  proposed: Phase.PROPOSED,
  accepted: Phase.ACCEPTED,
  ready: Phase.READY,
  committed: Phase.COMMITTED,
  marked: Phase.MARKED,
  aborted: Phase.ABORTED,
  settled: Phase.SETTLED,
} as const;

const CAUSES = {
  vetoed: AbortCause.VETOED,
  failed: AbortCause.FAILED,
  expired: AbortCause.EXPIRED,
  withdrawn: AbortCause.WITHDRAWN,
  stale: AbortCause.STALE,
} as const;

export type Shown = {
  readonly proposal: Proposal;
  readonly revision: number;
  /** In the queue: 1 is the next. */
  readonly queuePosition: number;
};

export function toProposal({ proposal, revision, queuePosition }: Shown): ProposalInit {
  const state = proposal.phase === "aborting" ? proposal.from : proposal;
  const { facts } = state;
  const candidate = frozenOf(state)?.candidate;
  const outcome = outcomeOf(state);
  const { model, proposal: id, origin } = facts;
  const shown: ProposalInit = {
    name: proposalName(model, id),
    phase: PHASES[state.phase],
    candidate: candidate?.id ?? id,
    digest: candidate?.digest ?? "",
    baseVersion: BigInt(candidate?.base ?? 0),
    actor: facts.actor,
    reason: facts.reason,
    voters: votersOf(state).map(fromVoter),
    createTime: toTimestamp(facts.createdAtMs),
    queuePosition: state.phase === "queued" ? queuePosition : 0,
    etag: String(revision),
    draft: origin.kind === "draft" ? draftName(model, origin.draft) : "",
    restoresVersion: BigInt(restored(origin)),
    scope: [...(candidate?.scope ?? [])],
  };
  if (outcome === undefined)
    return "deadline" in state ? { ...shown, remaining: toDuration(state.deadline.remainingMs) } : shown;
  if (!outcome.committed) {
    const { cause, message, atMs } = outcome.abort;
    return { ...shown, abortCause: CAUSES[cause], message, decideTime: toTimestamp(atMs) };
  }
  const { version, committedAtMs, confirmation } = outcome;
  return {
    ...shown,
    committed: true,
    version: BigInt(version),
    decideTime: toTimestamp(committedAtMs),
    ...(confirmation === undefined ? {} : { confirmation: toConfirmation(model, confirmation) }),
  };
}

function restored(origin: Origin): number {
  return origin.kind === "rollback" || origin.kind === "revert" ? origin.toVersion : 0;
}

function toConfirmation(
  model: string,
  confirmation: Confirmation,
): MessageInitShape<typeof ConfirmationSchema> {
  switch (confirmation.state) {
    case "armed":
      return { state: Confirmation_State.ARMED, remaining: toDuration(confirmation.remainingMs) };
    case "confirmed":
      return { state: Confirmation_State.CONFIRMED, confirmedBy: confirmation.by };
    case "reverting":
    case "reverted":
      return {
        state: Confirmation_State.REVERTED,
        revertProposal: proposalName(model, confirmation.proposal),
      };
  }
}
