/**
 * Whether an answer counts (I1, I15). What is refused has no effect; a repeat of what was taken is no error.
 * A first answer stands for ever, so an answer that differs from it is refused.
 */
import type { ConductorId } from "../model/ids.ts";
import type { CommandKind } from "./command.ts";
import { frozenOf, isDecided, votersOf, type Proposal } from "./proposal.ts";
import { untold } from "./settling.ts";
import type { Answer, ReadyBinding, Voter } from "./vote.ts";

export type AnswerEnvelope = {
  readonly conductor: ConductorId;
  readonly incarnation: number;
  readonly command: CommandKind;
  readonly candidate: string;
  readonly digest: string;
  readonly answer: Answer;
};

export type Verdict =
  | { readonly verdict: "new" }
  /** Taken before, or too early to be of use; it will be asked again. */
  | { readonly verdict: "known" }
  | { readonly verdict: "refused"; readonly reason: RefusedAnswer; readonly message: string };

export type RefusedAnswer =
  | "NOT_REGISTERED"
  | "OLD_INCARNATION"
  | "UNKNOWN_INCARNATION"
  | "NOT_ASKED"
  | "NOT_A_VOTER"
  | "OTHER_CANDIDATE"
  | "OTHER_DIGEST"
  | "WRONG_ANSWER"
  | "ANSWER_CONFLICTS"
  | "PROPOSAL_DECIDED";

const fresh: Verdict = { verdict: "new" };
const known: Verdict = { verdict: "known" };
const refused = (reason: RefusedAnswer, message: string): Verdict => ({
  verdict: "refused",
  reason,
  message,
});

/** `registered`: the incarnation that the conductor registered last; undefined: it is not registered. */
export function judgeAnswer(
  proposal: Proposal,
  registered: number | undefined,
  said: AnswerEnvelope,
): Verdict {
  return judgeSender(registered, said) ?? judgeSubject(proposal, said) ?? judgeContent(proposal, said);
}

export function judgeSender(
  registered: number | undefined,
  { conductor, incarnation }: Pick<AnswerEnvelope, "conductor" | "incarnation">,
): (Verdict & { verdict: "refused" }) | undefined {
  const no = (reason: RefusedAnswer, message: string) => ({ verdict: "refused", reason, message }) as const;
  if (registered === undefined)
    return no("NOT_REGISTERED", `${conductor} is not registered for this model: register it first`);
  if (incarnation < registered)
    return no(
      "OLD_INCARNATION",
      `incarnation ${incarnation} of ${conductor} was replaced by ${registered}: this process must stop`,
    );
  if (incarnation > registered)
    return no(
      "UNKNOWN_INCARNATION",
      `incarnation ${incarnation} of ${conductor} is not registered (${registered} is): register it first`,
    );
  return undefined;
}

function judgeSubject(proposal: Proposal, said: AnswerEnvelope): Verdict | undefined {
  const frozen = frozenOf(proposal);
  if (frozen === undefined)
    return refused("NOT_ASKED", `proposal ${proposal.facts.proposal} has not asked anybody`);
  if (!votersOf(proposal).some((voter) => voter.conductor === said.conductor))
    return refused(
      "NOT_A_VOTER",
      `${said.conductor} is not among the frozen voters of proposal ${proposal.facts.proposal}`,
    );
  if (said.candidate !== frozen.candidate.id)
    return refused(
      "OTHER_CANDIDATE",
      `the answer is for candidate "${said.candidate}"; the command was about ${frozen.candidate.id}`,
    );
  if (said.digest !== frozen.candidate.digest)
    return refused(
      "OTHER_DIGEST",
      `the answer is for digest "${said.digest}"; candidate ${frozen.candidate.id} has ${frozen.candidate.digest}`,
    );
  return undefined;
}

const ANSWERS = {
  review: ["accept", "veto"],
  prepare: ["ready", "failed"],
  settle: ["settled"],
  disarm: ["settled"],
} as const satisfies Record<CommandKind, readonly Answer["kind"][]>;

function judgeContent(proposal: Proposal, said: AnswerEnvelope): Verdict {
  const { command, answer, conductor } = said;
  if (!ANSWERS[command].some((kind) => kind === answer.kind))
    return refused(
      "WRONG_ANSWER",
      `${command} is answered by ${ANSWERS[command].join(" or ")}, not by ${answer.kind}`,
    );
  const voter = votersOf(proposal).find((each) => each.conductor === conductor);
  if (voter === undefined) return refused("NOT_A_VOTER", `${conductor} is not a voter`);
  if (answer.kind === "settled") return judgeSettled(proposal, voter, command, answer.committed);
  return judgeVote(proposal, voter, answer);
}

function judgeVote(
  proposal: Proposal,
  { vote, conductor }: Voter,
  answer: Exclude<Answer, { kind: "settled" }>,
): Verdict {
  const conflict = (first: string): Verdict =>
    refused(
      "ANSWER_CONFLICTS",
      `${conductor} answered ${first} first, which stands; ${answer.kind} is refused`,
    );
  const open = proposal.phase === "proposed" || proposal.phase === "accepted";
  const unheard = open
    ? fresh
    : refused(
        "PROPOSAL_DECIDED",
        `proposal ${proposal.facts.proposal} is ${proposal.phase}: the answer comes too late`,
      );
  switch (vote.stage) {
    case "asked":
      // Ready before accept: it was asked to prepare by a coordinator whose accept we have still to hear again.
      return answer.kind === "ready" && open ? known : unheard;
    case "accepted":
      if (answer.kind === "accept") return known;
      return answer.kind === "veto" ? conflict("accept") : unheard;
    case "ready":
      if (answer.kind === "accept" || answer.kind === "ready") {
        const again = answer.kind === "accept" ? answer.ready : answer.bindings;
        // Behind the decision the votes' bindings are not kept apart any more.
        return again === undefined || isDecided(proposal) || sameBindings(again, vote.bindings)
          ? known
          : conflict("ready with other bindings");
      }
      return conflict("ready");
    case "vetoed":
      return answer.kind === "veto" ? known : conflict("veto");
    case "failed":
      return answer.kind === "failed" || answer.kind === "accept" ? known : conflict("failed");
  }
}

function judgeSettled(proposal: Proposal, voter: Voter, command: CommandKind, committed: boolean): Verdict {
  const { phase, facts } = proposal;
  if (phase !== "marked" && phase !== "aborted" && phase !== "settled")
    return refused("NOT_ASKED", `proposal ${facts.proposal} is ${phase}: its outcome has not been told yet`);
  const outcome = phase === "settled" ? proposal.outcome.committed : phase === "marked";
  if (outcome !== committed)
    return refused(
      "ANSWER_CONFLICTS",
      `proposal ${facts.proposal} was ${outcome ? "committed" : "aborted"}; confirming the opposite is refused`,
    );
  if (phase === "settled") return known;
  const last = untold(proposal).command;
  if (command === "disarm" && last !== "disarm")
    return refused("NOT_ASKED", `proposal ${facts.proposal} still waits for its confirmation`);
  const done = command === "disarm" ? voter.disarmed : voter.released;
  return done ? known : fresh;
}

function sameBindings(a: readonly ReadyBinding[], b: readonly ReadyBinding[]): boolean {
  if (a.length !== b.length) return false;
  const hashes = new Map(b.map(({ entity, hash }) => [entity, hash]));
  return a.every(({ entity, hash }) => hashes.has(entity) && hashes.get(entity) === hash);
}
