/** A proposal as people follow it: its phase, and a line for each conductor. Pure. */
import {
  AbortCauseSchema,
  Confirmation_State,
  Confirmation_StateSchema,
  Phase,
  PhaseSchema,
  type Proposal,
  type VoterStatus,
  VoterStatus_Vote,
} from "@greco/contracts/greco/commit/v1/commit";
import { findingLines } from "./finding-view.ts";
import { shortName } from "./short-name.ts";
import { durationText } from "./times.ts";

const lower = (
  schema: { value: Readonly<Record<number, { localName: string } | undefined>> },
  value: number,
): string => (schema.value[value]?.localName ?? "").toLowerCase();

const isAborted = ({ phase, committed }: Proposal): boolean =>
  phase === Phase.ABORTED || (phase === Phase.SETTLED && !committed);

export function phaseText(proposal: Proposal): string {
  const phase = lower(PhaseSchema, proposal.phase);
  if (proposal.phase === Phase.QUEUED && proposal.queuePosition > 0)
    return `${phase} (${proposal.queuePosition} before it)`;
  if (isAborted(proposal)) {
    const settled = proposal.phase === Phase.SETTLED ? ", settled" : "";
    return `aborted (${lower(AbortCauseSchema, proposal.abortCause)})${settled}`;
  }
  return proposal.version > 0n ? `${phase} as version ${proposal.version}` : phase;
}

/** What the conductor has said, and what is waited for. */
export function voterText(voter: VoterStatus, { phase }: Pick<Proposal, "phase">): string {
  if (voter.excused) return "excused: it was deregistered";
  const said = voteText(voter, phase);
  return voter.settled ? `${said}, settled` : said;
}

function voteText(voter: VoterStatus, phase: Phase): string {
  switch (voter.vote) {
    case VoterStatus_Vote.ACCEPT:
      if (voter.ready) return "accepts, ready";
      return phase === Phase.ACCEPTED ? "accepts, prepares …" : "accepts";
    case VoterStatus_Vote.VETO:
      return "vetoes";
    case VoterStatus_Vote.FAILED:
      return "could not prepare";
    default:
      return phase === Phase.PROPOSED ? "reviews …" : "no answer";
  }
}

export type Mark = "good" | "bad" | "open";

export function markOf(voter: VoterStatus): Mark {
  if (voter.vote === VoterStatus_Vote.VETO || voter.vote === VoterStatus_Vote.FAILED) return "bad";
  return voter.ready || voter.excused ? "good" : "open";
}

export const SIGN: Readonly<Record<Mark, string>> = { good: "✓", bad: "✗", open: "·" };

export function confirmationText({ confirmation }: Proposal): string {
  if (confirmation === undefined || confirmation.state === Confirmation_State.UNSPECIFIED) return "";
  const state = lower(Confirmation_StateSchema, confirmation.state);
  const left =
    confirmation.state === Confirmation_State.ARMED && confirmation.remaining !== undefined
      ? `, ${durationText(confirmation.remaining)} left to confirm`
      : "";
  const by = confirmation.confirmedBy === "" ? "" : ` by ${confirmation.confirmedBy}`;
  const revert =
    confirmation.revertProposal === "" ? "" : `, by proposal ${shortName(confirmation.revertProposal)}`;
  return `${state}${by}${revert}${left}`;
}

/** Findings of all voters, each under its conductor's name. */
export function findingsText({ voters }: Proposal): string[] {
  return voters.flatMap((voter) =>
    voter.findings.flatMap((finding) => {
      const [first = "", ...more] = findingLines(finding);
      return [`${shortName(voter.conductor)}: ${first}`, ...more];
    }),
  );
}

export type ProposalLine = { readonly text: string; readonly mark: Mark };

/** The first is the proposal's, then one a conductor. */
export function progressOf(proposal: Proposal): readonly [ProposalLine, ...ProposalLine[]] {
  const width = Math.max(0, ...proposal.voters.map((voter) => shortName(voter.conductor).length));
  const mark = isAborted(proposal) ? "bad" : proposal.phase >= Phase.COMMITTED ? "good" : "open";
  return [
    { text: `${shortName(proposal.name)}  ${phaseText(proposal)}`, mark },
    ...proposal.voters.map((voter) => ({
      text: `${shortName(voter.conductor).padEnd(width)}  ${voterText(voter, proposal)}`,
      mark: markOf(voter),
    })),
  ];
}

/** Markers are on their way, or there will be none. */
export const isInEffect = ({ phase }: Proposal): boolean =>
  phase === Phase.MARKED || phase === Phase.SETTLED || phase === Phase.ABORTED;

export const isSettled = ({ phase }: Proposal): boolean => phase === Phase.SETTLED;

export const hasCommitted = (proposal: Proposal): boolean => proposal.committed || proposal.version > 0n;

export const isArmed = ({ confirmation }: Proposal): boolean =>
  confirmation?.state === Confirmation_State.ARMED;
