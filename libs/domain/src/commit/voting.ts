/**
 * Up to the decision: the turn, the votes, the deadlines.
 *
 * C1. `ready`, and so promote, needs the ready of every frozen voter (I1); the set never shrinks.
 * C2. A stale candidate aborts before any review.
 * C3. Each phase has a deadline that only live time uses up, so an absent voter leads to abort (I11).
 */
import type { ConductorId } from "../model/ids.ts";
import { claimProblems, describeClaims } from "./claims.ts";
import type { CommitEvent, Effect, Step, StepContext } from "./event.ts";
import { prepareDeadlineMs } from "./limits.ts";
import type {
  AbortCause,
  Aborting,
  Accepted,
  Deadline,
  Proposal,
  Proposed,
  Queued,
  Ready,
  Undecided,
} from "./proposal.ts";
import { noPlan, type Answer, type ReadyBinding, type Vote, type Voter } from "./vote.ts";

type Voting = Proposed | Accepted | Ready;

export function unchanged<S extends Proposal>(state: S): Step<S> {
  return { state, effects: [] };
}

export function startAbort(
  from: Undecided,
  cause: AbortCause,
  message: string,
  context: StepContext,
  by = "coordinator",
): Step<Aborting> {
  const abort = { cause, message, by, atMs: context.nowMs };
  return { state: { phase: "aborting", facts: from.facts, abort, from }, effects: [{ type: "discard" }] };
}

export function stepQueued(state: Queued, event: CommitEvent, context: StepContext): Step<Proposal> {
  switch (event.type) {
    case "turn": {
      const { base } = event.frozen.candidate;
      if (base !== event.head) {
        // C2
        const message = `it was made on version ${base}, and the head is ${event.head} now: rebase the draft and make it so again`;
        return startAbort(state, "stale", message, context);
      }
      const { frozen, voters, claimable } = event;
      const deadline = { remainingMs: context.limits.reviewMs };
      const proposed: Proposed = {
        phase: "proposed",
        facts: state.facts,
        frozen,
        voters,
        claimable,
        deadline,
      };
      const next = advance(proposed, context);
      if (next.state.phase === "aborting") return next;
      return {
        state: next.state,
        effects: [{ type: "persist", slot: "take" }, ...ask(proposed), ...next.effects],
      };
    }
    case "tick":
      return spend(state, event.elapsedMs, context);
    case "recovered": {
      const { origin } = state.facts;
      if (origin.kind === "join" && !event.registered.has(origin.conductor))
        return joinsNoMore(state, origin.conductor, context);
      return event.chargeMs > 0 ? spend(state, event.chargeMs, context) : unchanged(state);
    }
    case "withdrawn":
      return withdraw(state, event, context);
    case "deregistered":
      return joinsNoMore(state, event.conductor, context);
    default:
      return unchanged(state);
  }
}

/** Its voter would never answer, nor be excused. */
function joinsNoMore(state: Queued, conductor: ConductorId, context: StepContext): Step<Proposal> {
  const { origin } = state.facts;
  if (origin.kind !== "join" || origin.conductor !== conductor) return unchanged(state);
  const message = `${conductor}, which was to join, was deregistered: it joins when it registers anew`;
  return startAbort(state, "failed", message, context);
}

export function stepVoting(state: Voting, event: CommitEvent, context: StepContext): Step<Proposal> {
  switch (event.type) {
    case "answer":
      return state.phase === "ready" ? unchanged(state) : hear(state, event, context);
    case "tick":
      return spend(state, event.elapsedMs, context);
    case "remind":
      return { state, effects: state.phase === "ready" ? promote(context) : ask(state) };
    case "refused":
      return state.phase === "ready" ? refuse(state, event, context) : unchanged(state);
    case "withdrawn":
      return withdraw(state, event, context);
    case "deregistered":
      return isVoter(state, event.conductor) ? deregister(state, event.conductor, context) : unchanged(state);
    case "recovered":
      return recover(state, event, context);
    default:
      return unchanged(state);
  }
}

function recover(
  state: Voting,
  event: CommitEvent & { type: "recovered" },
  context: StepContext,
): Step<Proposal> {
  const gone = state.voters.find((voter) => !event.registered.has(voter.conductor));
  if (gone !== undefined) return deregister(state, gone.conductor, context);
  const candidate = { ...state.frozen.candidate, scope: event.scope };
  const known = { ...state, claimable: event.claimable, frozen: { ...state.frozen, candidate } };
  const spent = event.chargeMs > 0 ? spend(known, event.chargeMs, context) : unchanged(known);
  if (spent.state.phase === "aborting") return spent;
  const next = spent.state as Voting;
  if (next.phase === "ready") return { state: next, effects: [...spent.effects, ...promote(context)] };
  const advanced = advance(next, context);
  return { state: advanced.state, effects: [...spent.effects, ...ask(next), ...advanced.effects] };
}

function hear(
  state: Proposed | Accepted,
  { conductor, answer }: { readonly conductor: ConductorId; readonly answer: Answer },
  context: StepContext,
): Step<Proposal> {
  const voter = state.voters.find((each) => each.conductor === conductor);
  const vote = voter === undefined ? undefined : voteAfter(voter.vote, answer);
  if (vote === undefined) return unchanged(state);
  const voters = state.voters.map((each) => (each.conductor === conductor ? { ...each, vote } : each));
  const heard = { ...state, voters };
  if (vote.stage === "vetoed" || vote.stage === "failed") {
    const [cause, what] =
      vote.stage === "vetoed"
        ? (["vetoed", "vetoed it"] as const)
        : (["failed", "could not prepare it"] as const);
    const first = vote.findings[0];
    const why =
      first === undefined ? "" : `: ${first.message}${first.remedy === "" ? "" : ` (${first.remedy})`}`;
    return startAbort(heard, cause, `${conductor} ${what}${why}`, context);
  }
  const next = advance(heard, context);
  // It accepted late, among others that prepare already: it is told as they were.
  const late = heard.phase === "accepted" && next.state.phase === "accepted" && vote.stage === "accepted";
  const effects: readonly Effect[] = late ? [{ type: "announce", command: "prepare", to: [conductor] }] : [];
  return { state: next.state, effects: [...effects, ...next.effects] };
}

/** Undefined: the answer adds nothing. A first answer stands for ever. */
function voteAfter(vote: Vote, answer: Answer): Vote | undefined {
  if (vote.stage === "asked") {
    if (answer.kind === "veto") return { stage: "vetoed", findings: answer.findings };
    if (answer.kind === "failed") return { stage: "failed", plan: noPlan, findings: answer.findings };
    if (answer.kind !== "accept") return undefined;
    const { plan, ready } = answer;
    return ready === undefined ? { stage: "accepted", plan } : { stage: "ready", plan, bindings: ready };
  }
  if (vote.stage !== "accepted") return undefined;
  if (answer.kind === "ready") return { stage: "ready", plan: vote.plan, bindings: answer.bindings };
  if (answer.kind === "failed") return { stage: "failed", plan: vote.plan, findings: answer.findings };
  return undefined;
}

/** Whether the votes heard so far carry the proposal into its next phase. */
function advance(state: Proposed | Accepted, context: StepContext): Step<Proposal> {
  const plans = state.voters.map(planOf);
  if (plans.some((plan) => plan === undefined)) return unchanged(state);
  if (state.phase === "proposed") {
    const problems = claimProblems(state.claimable, state.voters);
    if (problems.length > 0) return startAbort(state, "failed", describeClaims(problems), context);
  }
  // C1
  if (state.voters.every((voter) => voter.vote.stage === "ready")) return becomeReady(state, context);
  if (state.phase === "accepted") return unchanged(state);
  const remainingMs = prepareDeadlineMs(
    context.limits,
    plans.map((plan) => plan?.prepareMs ?? 0),
  );
  const accepted: Accepted = { ...state, phase: "accepted", deadline: { remainingMs } };
  return { state: accepted, effects: [...ask(accepted), { type: "persist", slot: "keep" }] };
}

function planOf({ vote }: Voter): { readonly prepareMs: number } | undefined {
  return vote.stage === "accepted" || vote.stage === "ready" ? vote.plan : undefined;
}

function becomeReady(state: Proposed | Accepted, context: StepContext): Step<Proposal> {
  const twice = conflictingBinding(state.voters);
  if (twice !== undefined) {
    const message = `two conductors are ready with different bindings for ${twice}; one entity has one binding: let one conductor alone prepare it`;
    return startAbort(state, "failed", message, context);
  }
  const ready: Ready = { ...state, phase: "ready", deadline: { remainingMs: context.limits.promoteMs } };
  return { state: ready, effects: promote(context) };
}

/** Of all voters, each entity once, in the order of their names: the same from whichever coordinator. */
export function bindingsOf(voters: readonly Voter[]): ReadyBinding[] {
  const all = new Map<string, ReadyBinding>();
  for (const { vote } of voters)
    if (vote.stage === "ready") for (const binding of vote.bindings) all.set(binding.entity, binding);
  return [...all.values()].toSorted((a, b) => (a.entity < b.entity ? -1 : 1));
}

function conflictingBinding(voters: readonly Voter[]): string | undefined {
  const seen = new Map<string, string | undefined>();
  for (const { vote } of voters) {
    if (vote.stage !== "ready") continue;
    for (const { entity, hash } of vote.bindings) {
      if (seen.has(entity) && seen.get(entity) !== hash) return entity;
      seen.set(entity, hash);
    }
  }
  return undefined;
}

function promote(context: StepContext): readonly Effect[] {
  return [{ type: "promote", atMs: context.nowMs }];
}

/** Who has still to answer what. */
function ask(state: Voting): Effect[] {
  const inStage = (stage: Vote["stage"]): ConductorId[] =>
    state.voters.filter((voter) => voter.vote.stage === stage).map((voter) => voter.conductor);
  const review = inStage("asked");
  const prepare = state.phase === "accepted" ? inStage("accepted") : [];
  return [
    ...(review.length > 0 ? [{ type: "announce", command: "review", to: review } as const] : []),
    ...(prepare.length > 0 ? [{ type: "announce", command: "prepare", to: prepare } as const] : []),
  ];
}

/** C3 */
function spend(state: Undecided, elapsedMs: number, context: StepContext): Step<Proposal> {
  const deadline: Deadline = { remainingMs: Math.max(0, state.deadline.remainingMs - elapsedMs) };
  const left = { ...state, deadline };
  if (deadline.remainingMs > 0) return { state: left, effects: [{ type: "persist", slot: "keep" }] };
  return startAbort(left, "expired", whyExpired(left), context);
}

function whyExpired(state: Undecided): string {
  if (state.phase === "queued")
    return "its turn did not come in time: another proposal of the model had the slot";
  if (state.phase === "ready")
    return "all voters were ready, but the registry did not promote it in time: make it so again";
  const silent = state.voters.filter(
    (voter) => voter.vote.stage === (state.phase === "proposed" ? "asked" : "accepted"),
  );
  const who = silent.map((voter) => voter.conductor).join(", ");
  return `no answer in time from ${who}: start the conductor, or deregister it, and make it so again`;
}

function refuse(
  state: Ready,
  event: CommitEvent & { type: "refused" },
  context: StepContext,
): Step<Aborting> {
  switch (event.why) {
    case "head-moved":
      return startAbort(
        state,
        "stale",
        `the head moved meanwhile (${event.detail}): rebase the draft and make it so again`,
        context,
      );
    case "registrations-changed":
      return startAbort(
        state,
        "failed",
        `the model's conductors changed while this was voted on (${event.detail}): make it so again`,
        context,
      );
    case "not-promotable":
      return startAbort(state, "failed", `the registry cannot promote it: ${event.detail}`, context);
    case "ledger-ahead":
      return startAbort(
        state,
        "failed",
        `the data plane's ledger is ahead of the head (${event.detail}): bring store, ledger and bindings back at one epoch`,
        context,
      );
  }
}

function withdraw(
  state: Undecided,
  event: CommitEvent & { type: "withdrawn" },
  context: StepContext,
): Step<Aborting> {
  const why = event.reason === "" ? "" : `: ${event.reason}`;
  return startAbort(state, "withdrawn", `withdrawn by ${event.by}${why}`, context, event.by);
}

function isVoter(state: Voting, conductor: ConductorId): boolean {
  return state.voters.some((voter) => voter.conductor === conductor);
}

/** C1: the frozen set does not shrink; without this voter there is no yes of it. */
function deregister(state: Voting, conductor: ConductorId, context: StepContext): Step<Aborting> {
  const voters = state.voters.map((voter) =>
    voter.conductor === conductor ? { ...voter, excused: true } : voter,
  );
  const message = `${conductor}, which votes on it, was deregistered: make it so again`;
  return startAbort({ ...state, voters }, "failed", message, context);
}
