/** Proposals as the commands show and wait for them. */
import type { JsonValue } from "@bufbuild/protobuf";
import { type Proposal, ProposalSchema } from "@greco/contracts/greco/commit/v1/commit";
import { EXIT } from "./cli-error.ts";
import type { Context } from "./context.ts";
import { follow } from "./follow.ts";
import type { Fact, Facts } from "./output.ts";
import { plain } from "./plain.ts";
import {
  confirmationText,
  findingsText,
  hasCommitted,
  isArmed,
  isInEffect,
  phaseText,
  voterText,
} from "./proposal-view.ts";
import { nameOfIdentity, shortName } from "./short-name.ts";
import { durationText, timeText } from "./times.ts";

export const proposalJson = (proposal: Proposal): JsonValue => plain(ProposalSchema, proposal);

const phaseFact = ({ output }: Context, proposal: Proposal): Fact => {
  const good = hasCommitted(proposal);
  const open = !isInEffect(proposal) && !good;
  return ["phase", phaseText(proposal), (line) => (open ? line : output.paint(good ? "green" : "red", line))];
};

const markersFact = ({ scope }: Proposal): Fact => ["markers in", scope.map(nameOfIdentity).join(", ")];

function proposalFacts(context: Context, proposal: Proposal): Facts {
  const open = !isInEffect(proposal);
  const width = Math.max(0, ...proposal.voters.map(({ conductor }) => shortName(conductor).length));
  const voters = proposal.voters.map(
    (voter) => `${shortName(voter.conductor).padEnd(width)}  ${voterText(voter, proposal)}`,
  );
  return [
    ["proposal", shortName(proposal.name)],
    phaseFact(context, proposal),
    ["why", proposal.message],
    ["draft", shortName(proposal.draft)],
    ["content of", proposal.restoresVersion > 0n ? `version ${proposal.restoresVersion}` : ""],
    ["base", `version ${proposal.baseVersion}`],
    ["by", proposal.actor],
    ["reason", proposal.reason],
    ["started", timeText(proposal.createTime)],
    ["time left", open ? durationText(proposal.remaining) : ""],
    ["confirmation", confirmationText(proposal)],
    ["conductors", voters.join("\n")],
    ["findings", findingsText(proposal).join("\n")],
    markersFact(proposal),
  ];
}

export const showProposal = (context: Context, proposal: Proposal): void =>
  context.output.one(proposal, (each) => proposalFacts(context, each), proposalJson);

/** What is new to somebody who has followed it; on a terminal its last state stands just above. */
export const showOutcome = (context: Context, proposal: Proposal): void =>
  context.output.one(
    proposal,
    (each) => [
      ...(context.output.live ? [] : [["proposal", shortName(each.name)] as const, phaseFact(context, each)]),
      ["why", each.message],
      ["confirmation", confirmationText(each)],
      ["findings", findingsText(each).join("\n")],
      hasCommitted(each) ? markersFact(each) : ["markers in", ""],
    ],
    proposalJson,
  );

/** After a proposal was started: waits for it if asked to, and shows it. */
export async function finish(context: Context, started: Proposal, wait: boolean): Promise<void> {
  const { output } = context;
  // A rollback of what waits for its confirmation is its revert, which stands on its own.
  const revert = started.confirmation?.revertProposal ?? "";
  const name = revert === "" ? started.name : revert;
  const id = shortName(name);
  if (!wait) {
    showProposal(context, started);
    output.note(`follow it: greco proposal watch ${id}`);
    return;
  }
  let ended: Proposal;
  try {
    ended = await follow(context, name, isInEffect);
  } catch (error) {
    if (context.signal.aborted) output.note(`it goes on: greco proposal watch ${id}`);
    throw error;
  }
  showOutcome(context, ended);
  if (!hasCommitted(ended)) context.exit(EXIT.failed);
  else if (isArmed(ended)) output.note(`it is taken back by itself unless confirmed: greco confirm ${id}`);
}
