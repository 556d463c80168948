/**
 * From the decision on: nothing can refuse any more, and everything is repeated until it is done.
 *
 * C4. The ledger's entry comes only after promote, and the outcome is told only after the ledger has it (I5).
 * C5. Every frozen voter is told, asked or not, until it confirms or is excused (§4.6).
 * C6. Confirm or revert is decided once; until then the slot stays taken.
 */
import type { CommitEvent, Effect, Step, StepContext } from "./event.ts";
import type { ConductorId } from "../model/ids.ts";
import type { Aborted, Aborting, Committed, Confirmation, Proposal, Ready, Settled } from "./proposal.ts";
import { frozenOf, outcomeOf, votersOf } from "./proposal.ts";
import type { Voter } from "./vote.ts";
import { bindingsOf, unchanged } from "./voting.ts";
import { invariant } from "../model/invariant.ts";
import { epoch } from "../model/ids.ts";

/** What promote makes of a ready proposal; also its record, written by the same transaction. */
export function committedFrom(state: Ready, atMs: number): Committed {
  invariant(
    state.voters.every((voter) => voter.vote.stage === "ready"),
    "I1: no version is committed without a yes from every frozen voter",
  );
  const { facts, frozen, voters } = state;
  const confirmation: Confirmation | undefined =
    facts.confirmWithinMs === undefined ? undefined : { state: "armed", remainingMs: facts.confirmWithinMs };
  return {
    phase: "committed",
    facts,
    frozen,
    voters,
    version: epoch(frozen.candidate.base + 1),
    committedAtMs: atMs,
    bindings: bindingsOf(voters),
    confirmation,
  };
}

/** What discard makes of it; also its record. */
export function abortedFrom(state: Aborting): Aborted {
  const { facts, abort } = state;
  return { phase: "aborted", facts, frozen: frozenOf(state), voters: votersOf(state), abort };
}

export function stepAborting(state: Aborting, event: CommitEvent): Step<Proposal> {
  switch (event.type) {
    case "remind":
      return { state, effects: [{ type: "discard" }] };
    case "discarded":
      return tell(abortedFrom(state), [{ type: "persist", slot: "release" }]);
    case "promoted": {
      // The other decision was made before: by us, unheard, or by another coordinator (I2).
      invariant(state.from.phase === "ready", "I2: promoted, yet this coordinator never heard all yeses");
      return { state: committedFrom(state.from, event.atMs), effects: [{ type: "mark" }] };
    }
    default:
      return unchanged(state);
  }
}

export function stepCommitted(state: Committed, event: CommitEvent, context: StepContext): Step<Proposal> {
  switch (event.type) {
    case "remind":
    case "recovered":
      return { state: excuseGone(state, event), effects: [{ type: "mark" }] };
    case "marked": {
      // C4, C6
      const marked: Committed = { ...state, phase: "marked" };
      return tellChain(marked, [{ type: "persist", slot: isOpen(marked.confirmation) ? "arm" : "release" }]);
    }
    case "deregistered":
      return { state: excuse(state, event.conductor), effects: [] };
    case "confirmed":
      return confirm(state, event, context);
    default:
      return unchanged(state);
  }
}

export function stepMarked(state: Committed, event: CommitEvent, context: StepContext): Step<Proposal> {
  switch (event.type) {
    case "answer":
      if (event.answer.kind !== "settled") return unchanged(state);
      return finish(heardOutcome(state, event));
    case "tick":
      return spendConfirmation(state, event.elapsedMs, context);
    case "remind":
      return tell(state, beginAgain(state));
    case "deregistered":
      return finish(excuse(state, event.conductor));
    case "confirmed":
      return confirm(state, event, context);
    case "rejected":
      return reject(state, context);
    case "revert-ended":
      return endRevert(state, event, context);
    case "recovered": {
      const spent = spendConfirmation(excuseGone(state, event), event.chargeMs, context);
      return tellChain(spent.state, [...spent.effects, ...beginAgain(state)]);
    }
    default:
      return unchanged(state);
  }
}

export function stepAborted(state: Aborted, event: CommitEvent): Step<Proposal> {
  switch (event.type) {
    case "answer":
      if (event.answer.kind !== "settled") return unchanged(state);
      return finish(heardOutcome(state, event));
    case "remind":
      return tell(state);
    case "deregistered":
      return finish(excuse(state, event.conductor));
    case "recovered":
      return tell(excuseGone(state, event), [{ type: "persist", slot: "release" }]);
    default:
      return unchanged(state);
  }
}

/** C5: settled, by a last write, when nobody is left to tell. `before` is done in either case. */
function finish(state: Committed | Aborted, before: readonly Effect[] = []): Step<Proposal> {
  const open = state.phase === "marked" && isOpen(state.confirmation);
  if (open || untold(state).to.length > 0) return { state, effects: before };
  const { facts, frozen, voters } = state;
  const outcome = outcomeOf(state);
  invariant(outcome !== undefined, "only what is decided settles");
  const settled: Settled = { phase: "settled", facts, frozen, voters, outcome };
  const written = before.some((effect) => effect.type === "persist");
  return { state: settled, effects: written ? before : [...before, { type: "persist", slot: "keep" }] };
}

/** Tells who is left; then finishes. */
function tell(state: Committed | Aborted, before: readonly Effect[] = []): Step<Proposal> {
  const left = untold(state);
  const announce: readonly Effect[] = left.to.length > 0 ? [{ type: "announce", ...left }] : [];
  return finish(state, [...announce, ...before]);
}

/** The commit goes to every conductor, voter or not: by them the chain is whole, and who misses a link reads again. */
function tellChain(state: Committed, before: readonly Effect[] = []): Step<Proposal> {
  const told = tell(state, before);
  return { state: told.state, effects: [{ type: "announce-commit" }, ...told.effects] };
}

export function untold(state: Committed | Aborted): {
  command: "settle" | "disarm";
  to: readonly ConductorId[];
} {
  const last = state.phase !== "aborted" && state.confirmation !== undefined && !isOpen(state.confirmation);
  const done = (voter: Voter): boolean => voter.excused || (last ? voter.disarmed : voter.released);
  return {
    command: last ? "disarm" : "settle",
    to: state.voters.filter((voter) => !done(voter)).map((voter) => voter.conductor),
  };
}

/**
 * What an excused voter has not confirmed: nobody waits for it, but it binds a conductor that comes back, whatever
 * has settled meanwhile (I11).
 */
export function owed(state: Proposal): {
  readonly command: "settle" | "disarm";
  readonly to: readonly ConductorId[];
} {
  const outcome = outcomeOf(state);
  const told = outcome !== undefined && state.phase !== "committed";
  const confirmation = outcome?.committed === true ? outcome.confirmation : undefined;
  const last = confirmation !== undefined && !isOpen(confirmation);
  const owes = (voter: Voter): boolean => voter.excused && !(last ? voter.disarmed : voter.released);
  return {
    command: last ? "disarm" : "settle",
    to: told
      ? votersOf(state)
          .filter(owes)
          .map((voter) => voter.conductor)
      : [],
  };
}

/** Armed, or being reverted: the slot stays taken. */
function isOpen(confirmation: Confirmation | undefined): boolean {
  return confirmation?.state === "armed" || confirmation?.state === "reverting";
}

/** Who confirms the last round has confirmed all. */
function heardOutcome<S extends Committed | Aborted>(state: S, event: CommitEvent & { type: "answer" }): S {
  const { conductor, command } = event;
  const heard = (voter: Voter): Voter => ({
    ...voter,
    released: true,
    disarmed: voter.disarmed || command === "disarm",
  });
  return {
    ...state,
    voters: state.voters.map((voter) => (voter.conductor === conductor ? heard(voter) : voter)),
  };
}

function excuse<S extends Committed | Aborted>(state: S, conductor: ConductorId): S {
  if (!state.voters.some((voter) => voter.conductor === conductor && !voter.excused)) return state;
  const voters = state.voters.map((voter) =>
    voter.conductor === conductor ? { ...voter, excused: true } : voter,
  );
  return { ...state, voters };
}

function excuseGone<S extends Committed | Aborted>(state: S, event: CommitEvent): S {
  if (event.type !== "recovered") return state;
  const gone = state.voters.filter((voter) => !event.registered.has(voter.conductor));
  return gone.reduce((so, voter) => excuse(so, voter.conductor), state);
}

function confirm(
  state: Committed,
  event: CommitEvent & { type: "confirmed" },
  context: StepContext,
): Step<Proposal> {
  // C6: only what is armed can be confirmed; the record's compare-and-swap decides between two that try.
  if (state.confirmation?.state !== "armed") return unchanged(state);
  const confirmation: Confirmation = { state: "confirmed", by: event.by, atMs: context.nowMs };
  const confirmed: Committed = { ...state, confirmation };
  if (state.phase === "committed") return { state: confirmed, effects: [{ type: "persist", slot: "keep" }] };
  return tell(confirmed, [{ type: "persist", slot: "release" }]);
}

function reject(state: Committed, context: StepContext): Step<Committed> {
  if (state.confirmation?.state !== "armed") return unchanged(state);
  return revert(state, 1, context);
}

function spendConfirmation(state: Committed, elapsedMs: number, context: StepContext): Step<Committed> {
  if (state.confirmation?.state !== "armed") return unchanged(state);
  const remainingMs = Math.max(0, state.confirmation.remainingMs - elapsedMs);
  if (remainingMs === 0) return revert(state, 1, context);
  const confirmation: Confirmation = { state: "armed", remainingMs };
  return { state: { ...state, confirmation }, effects: [{ type: "persist", slot: "keep" }] };
}

/** A revert that is owed, as often as it takes. */
function beginAgain(state: Committed): readonly Effect[] {
  return state.confirmation?.state === "reverting" ? [{ type: "begin-revert" }] : [];
}

/** Of whoever has no fresh one to give. */
export function revertId(proposal: string, attempt: number): string {
  const suffix = `-r${attempt}`;
  return `${proposal.slice(0, 63 - suffix.length)}${suffix}`;
}

/** The record says its id before it is begun, so that two coordinators begin the same one. */
function revert(state: Committed, attempt: number, { freshId }: StepContext): Step<Committed> {
  const confirmation: Confirmation = {
    state: "reverting",
    proposal: freshId ?? revertId(state.facts.proposal, attempt),
    attempt,
  };
  const effects: readonly Effect[] = [{ type: "persist", slot: "keep" }, { type: "begin-revert" }];
  return { state: { ...state, confirmation }, effects };
}

function endRevert(
  state: Committed,
  event: CommitEvent & { type: "revert-ended" },
  context: StepContext,
): Step<Proposal> {
  const { confirmation } = state;
  if (confirmation?.state !== "reverting" || confirmation.proposal !== event.proposal)
    return unchanged(state);
  // A revert is owed until it is made: a next attempt, under a candidate of its own.
  if (!event.committed) return revert(state, confirmation.attempt + 1, context);
  const reverted: Committed = { ...state, confirmation: { state: "reverted", proposal: event.proposal } };
  return tell(reverted, [{ type: "persist", slot: "keep" }]);
}
