/**
 * The commit protocol as a pure state machine (DESIGN §4, STYLE 5): what a coordinator knows of a proposal,
 * what happens to it, and what is to be done. Every coordinator may run it at the same time as another:
 * the compare-and-swaps behind `persist`, `promote` and `discard` decide between them.
 */
import { invariant } from "../model/invariant.ts";
import type { CommitEvent, Step, StepContext } from "./event.ts";
import type { Phase, Proposal } from "./proposal.ts";
import { committedFrom, stepAborted, stepAborting, stepCommitted, stepMarked } from "./settling.ts";
import { TRANSITIONS } from "./table.ts";
import { stepQueued, stepVoting, unchanged } from "./voting.ts";

export function step(state: Proposal, event: CommitEvent, context: StepContext): Step<Proposal> {
  const allowed: readonly Phase[] = TRANSITIONS[state.phase][event.type];
  if (allowed.length === 0) return unchanged(state);
  const next = dispatch(state, event, context);
  invariant(
    next.state === state || next.state.phase === state.phase || allowed.includes(next.state.phase),
    `${event.type} leads from ${state.phase} to ${next.state.phase}, which the table does not allow`,
  );
  return next;
}

function dispatch(state: Proposal, event: CommitEvent, context: StepContext): Step<Proposal> {
  switch (state.phase) {
    case "queued":
      return stepQueued(state, event, context);
    case "proposed":
    case "accepted":
      return stepVoting(state, event, context);
    case "ready":
      if (event.type === "promoted")
        return { state: committedFrom(state, event.atMs), effects: [{ type: "mark" }] };
      return stepVoting(state, event, context);
    case "aborting":
      return stepAborting(state, event);
    case "committed":
      return stepCommitted(state, event, context);
    case "marked":
      return stepMarked(state, event, context);
    case "aborted":
      return stepAborted(state, event);
    case "settled":
      return unchanged(state);
  }
}
