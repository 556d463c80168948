/** Why a proposal ended as it did, and what the coordinator refuses. */
import type { Reasons } from "./reason.ts";

export const COMMIT_REASONS = {
  VETOED: {
    means: "a conductor refused the change; nothing of it took effect anywhere",
    next: "greco proposal get P lists its findings; correct the draft, greco plan DRAFT, then make it so again",
  },
  FAILED: {
    means: "a conductor could not prepare the change; what was prepared has been taken back",
    next: "greco proposal get P says why; make it so again when that is mended",
  },
  EXPIRED: {
    means: "a conductor did not answer in time, so the proposal was given up",
    next: "greco conductor list shows who was last heard when; start it, or deregister it",
  },
  WITHDRAWN: { means: "somebody took the proposal back before it was decided", next: "make it so again" },
  STALE: {
    means: "another version was made so first, so that the draft's base was not the newest any more",
    next: "greco draft rebase DRAFT, look at the diff, then make it so again",
  },
  PROPOSAL_NOT_FOUND: { means: "the model has no such proposal", next: "greco proposal list" },
  PROPOSAL_EXISTS: {
    means: "the id of the proposal was used for something else; ids are used once",
    next: "leave the id out: one is made",
  },
  PROPOSAL_MOVED: {
    means: "the proposal went on while it was to be aborted, so the abort looks again",
    next: "nothing to do; if it stays, the coordinator's log says more",
  },
  PROPOSAL_DECIDED: {
    means: "an answer came when the proposal was decided already",
    next: "nothing to do: the conductor is told the outcome",
  },
  HEAD_MOVED: {
    means: "another version was promoted first",
    next: "greco draft rebase DRAFT, then make it so again",
  },
  REGISTRATIONS_CHANGED: {
    means: "a conductor joined or left between the vote and the decision, so the vote does not count",
    next: "make it so again: the conductors of now vote",
  },
  CONFIRMATION_PENDING: {
    means: "the newest version waits for its confirmation, and takes no other change until then",
    next: "greco confirm P, or wait until it is taken back",
  },
  INVALID_CONFIRM_WITHIN: {
    means: "the time to confirm is not one that is allowed",
    next: "give a time like 10m within the bounds that the message names",
  },
  INVALID_TIMEOUT: {
    means: "the time to wait for conductors, in a plan or a look outside, is not one that is allowed",
    next: "give a time within the bounds that the message names",
  },
  NOT_COMMITTED: {
    means: "there is nothing to confirm before the proposal is committed",
    next: "greco proposal watch P, then confirm it",
  },
  NOT_ARMED: {
    means: "the proposal was made so without --confirm-within: it stands without a confirmation",
    next: "nothing to do; greco rollback VERSION takes it back if it must be",
  },
  ALREADY_ABORTED: {
    means: "the proposal was aborted; nothing of it took effect",
    next: "greco proposal get P says why",
  },
  ALREADY_COMMITTED: {
    means: "the proposal is committed and cannot be withdrawn",
    next: "greco rollback VERSION makes the older content so again",
  },
  ALREADY_CONFIRMED: { means: "somebody has confirmed it already", next: "nothing to do: it stands" },
  ALREADY_REVERTED: {
    means: "it was not confirmed in time and is taken back",
    next: "make it so again",
  },
  ALREADY_WITHDRAWN: { means: "somebody has withdrawn it already", next: "nothing to do" },
  REVERT_IS_OWED: {
    means: "this proposal takes back a version that was not confirmed; it cannot be withdrawn",
    next: "wait; a conductor that keeps it from committing can be deregistered",
  },
  CONDUCTOR_NOT_FOUND: {
    means: "no conductor of this name was ever registered for the model",
    next: "greco conductor list",
  },
  ALREADY_DEREGISTERED: {
    means: "the conductor is deregistered already",
    next: "nothing to do; it registers anew when it starts",
  },
  NOT_REGISTERED: {
    means: "a conductor answers for a model for which it is not registered",
    next: "it must register first; restarting it does that",
  },
  OLD_INCARNATION: {
    means: "a newer process of the same conductor has taken over; this one must not act any more",
    next: "end the older process",
  },
  UNKNOWN_INCARNATION: {
    means: "a conductor answers under an incarnation that it has not registered",
    next: "it must register first; restarting it does that",
  },
  UNKNOWN_COMMAND: {
    means: "a conductor answers a command that was never given",
    next: "if it is your own conductor: answer with the id of the command",
  },
  ANSWER_MISSING: {
    means: "a conductor's answer is empty",
    next: "send accept, veto, ready, failed or settled",
  },
  WRONG_ANSWER: {
    means: "a conductor's answer is not one to the command that it was given",
    next: "a review is answered by accept or veto, a prepare by ready or failed, an outcome by settled",
  },
  ANSWER_CONFLICTS: {
    means: "a conductor says something else than it has said before; its first answer stands",
    next: "if it is your own conductor: keep the journal across restarts",
  },
  NOT_ASKED: {
    means: "a conductor answers what it was not asked, or not yet",
    next: "if it is your own conductor: answer only commands that name it",
  },
  NOT_A_VOTER: {
    means: "the conductor is not among those whose vote this proposal needs",
    next: "nothing to do: who votes was fixed when the proposal began; it votes on the next one",
  },
  OTHER_CANDIDATE: {
    means: "the answer is about another candidate than the command",
    next: "if it is your own conductor: send the candidate that the command names",
  },
  OTHER_DIGEST: {
    means: "the conductor has reviewed another content than the one that is decided on",
    next: "if it is your own conductor: review only what has the digest that the command names",
  },
  INVALID_HASH: {
    means: "a conductor names a binding by something that is no sha-256 in lower-case hex",
    next: "hash the binding's content as it is stored",
  },
  PLAN_ENDED: {
    means: "a conductor answers a plan that is over",
    next: "nothing to do: nobody waits for it",
  },
  INSPECTION_ENDED: {
    means: "a conductor tells what it found outside when nobody waits for it any more",
    next: "nothing to do; if it needs more time than it gets: greco drift --within 5m",
  },
  TOO_MANY_INSPECTIONS: {
    means: "conductors of the model are looking outside for several callers already",
    next: "wait until those have their answer, and look again",
  },
  TOO_MANY_REPAIRS: {
    means: "runtimes miss more bindings than conductors are asked for at once",
    next: "nothing to do: runtimes ask again by themselves; if the binding store was lost as a whole, restore it",
  },
} as const satisfies Reasons;
