/** A proposal as people follow it: its phase, and a line for each conductor. Pure. */
import {
  AbortCauseSchema,
  Confirmation_StateSchema,
  Phase,
  PhaseSchema,
  type Proposal,
  type VoterStatus,
  VoterStatus_Vote,
} from "@greco/contracts/greco/commit/v1/commit";
import { durationText, shortName } from "./names.ts";

const lower = (
  schema: { value: Readonly<Record<number, { localName: string } | undefined>> },
  value: number,
): string => (schema.value[value]?.localName ?? "").toLowerCase();

export function phaseText(proposal: Proposal): string {
  const phase = lower(PhaseSchema, proposal.phase);
  if (proposal.phase === Phase.QUEUED && proposal.queuePosition > 0)
    return `${phase} (${proposal.queuePosition} before it)`;
  if (proposal.phase === Phase.ABORTED || (proposal.phase === Phase.SETTLED && !proposal.committed)) {
    return `aborted (${lower(AbortCauseSchema, proposal.abortCause)})`;
  }
  return proposal.version > 0n ? `${phase} as version ${proposal.version}` : phase;
}

function voteText(voter: VoterStatus): string {
  switch (voter.vote) {
    case VoterStatus_Vote.ACCEPT:
      return voter.ready ? "accepts, ready" : "accepts";
    case VoterStatus_Vote.VETO:
      return "vetoes";
    case VoterStatus_Vote.FAILED:
      return "failed";
    default:
      return "no answer yet";
  }
}

export function voterText(voter: VoterStatus): string {
  if (voter.excused) return "excused";
  const vote = voteText(voter);
  return voter.settled ? `${vote}, settled` : vote;
}

export function confirmationText(proposal: Proposal): string {
  const { confirmation } = proposal;
  if (confirmation === undefined || confirmation.state === 0) return "";
  const state = lower(Confirmation_StateSchema, confirmation.state);
  const left = state === "armed" ? `, ${durationText(confirmation.remaining)} left` : "";
  const by = confirmation.confirmedBy === "" ? "" : ` by ${confirmation.confirmedBy}`;
  const revert = confirmation.revertProposal === "" ? "" : ` by ${shortName(confirmation.revertProposal)}`;
  return `${state}${by}${revert}${left}`;
}

/** Findings of all voters, a line or two each. */
export function findingLines(proposal: Proposal): string[] {
  return proposal.voters.flatMap((voter) =>
    voter.findings.flatMap((finding) => {
      const column = finding.column > 0 ? `, column ${finding.column}` : "";
      const line = `${shortName(voter.conductor)}: ${shortName(finding.entity)} ${finding.fieldPath}${column}: ${finding.message}`;
      return finding.remedy === "" ? [line] : [line, `  ${finding.remedy}`];
    }),
  );
}

export function progressLines(proposal: Proposal): string[] {
  const width = Math.max(0, ...proposal.voters.map((voter) => shortName(voter.conductor).length));
  const left = proposal.remaining === undefined ? "" : `  (${durationText(proposal.remaining)} left)`;
  return [
    `${shortName(proposal.name)}  ${phaseText(proposal)}${left}`,
    ...proposal.voters.map((voter) => `  ${shortName(voter.conductor).padEnd(width)}  ${voterText(voter)}`),
  ];
}

export const isDecided = (proposal: Proposal): boolean => proposal.phase >= Phase.COMMITTED;

/** Markers are on their way, or there will be none. */
export const isInEffect = (proposal: Proposal): boolean =>
  proposal.phase === Phase.MARKED || proposal.phase === Phase.SETTLED || proposal.phase === Phase.ABORTED;

export const hasCommitted = (proposal: Proposal): boolean => proposal.committed || proposal.version > 0n;
