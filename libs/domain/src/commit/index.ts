export { claimProblems, describeClaims } from "./claims.ts";
export type { ClaimProblem } from "./claims.ts";
export { commandId, COMMANDS, parseCommandId } from "./command.ts";
export type { CommandKind } from "./command.ts";
export type { CommitEvent, Effect, EventKind, Step, StepContext } from "./event.ts";
export { freezeVoters } from "./freeze.ts";
export type { Candidacy, VoterPolicy } from "./freeze.ts";
export { judgeAnswer, judgeSender } from "./judge.ts";
export type { AnswerEnvelope, RefusedAnswer, Verdict } from "./judge.ts";
export { ledgerEntryOf } from "./ledger.ts";
export { COMMIT_LIMITS, elapsedMs, prepareDeadlineMs } from "./limits.ts";
export type { CommitLimits } from "./limits.ts";
export { ABORT_CAUSES, frozenOf, isDecided, outcomeOf, PHASES, votersOf } from "./proposal.ts";
export type {
  Abort,
  AbortCause,
  Aborted,
  Aborting,
  CandidateFacts,
  Committed,
  Confirmation,
  Deadline,
  Frozen,
  Origin,
  Outcome,
  Phase,
  Proposal,
  ProposalFacts,
  Queued,
  Ready,
  Settled,
  Undecided,
} from "./proposal.ts";
export { decodeProposal, encodeProposal, ProposalRecordError, restoreDetail } from "./record.ts";
export type { EncodedProposal } from "./record.ts";
export { abortedFrom, committedFrom, owed, revertId } from "./settling.ts";
export { step } from "./step.ts";
export { TRANSITIONS } from "./table.ts";
export { noPlan, unheard } from "./vote.ts";
export type { Answer, ConductorPlan, PlannedStep, ReadyBinding, Vote, VoteFinding, Voter } from "./vote.ts";
