/**
 * The rules of the protocol as switches, as in a model checker: each one off must break an invariant, or the
 * simulation does not see what the rule is for. Those of the environment stand here; those of the machine
 * itself are broken by tools/mutations.
 */
export type CommitRules = {
  /** Promote compares head and base. */
  readonly promoteComparesHead: boolean;
  /** One proposal of a model prepares at a time, on the head as it is. */
  readonly oneSlot: boolean;
  /** Who registers while a proposal prepares joins behind it. */
  readonly lateComersJoin: boolean;
  /** Promote and discard compare that the candidate is open. */
  readonly decidedOnce: boolean;
  /** Promote compares the registrations' revision. */
  readonly promoteComparesRegistrations: boolean;
  /** An ambiguous promote is asked again before anyone is told. */
  readonly readBack: boolean;
  /** The proposal's record is written only over the one that was read. */
  readonly recordCompared: boolean;
  /** Discard compares the proposal's record: who aborts knows whether anybody was asked. */
  readonly discardComparesRecord: boolean;
  /** The set of voters stays as it was frozen. */
  readonly frozenVoters: boolean;
  /** The ledger's lower entries come first. */
  readonly ledgerInOrder: boolean;
  /** The ledger's entry comes after promote. */
  readonly ledgerAfterPromote: boolean;
  /** The outcome is told to every frozen voter. */
  readonly tellAll: boolean;
  /** A coordinator that starts looks for open proposals. */
  readonly scan: boolean;
  /** Live time counts. */
  readonly deadlines: boolean;
  /** Answers are judged before they count. */
  readonly judged: boolean;
  /** What is open is announced again. */
  readonly reminds: boolean;
  /** A vote is in the journal before it is sent. */
  readonly journalFirst: boolean;
  /** K1: the intent is in the journal before the first create. */
  readonly intentFirst: boolean;
  /** K2: what is undone is never prepared again. */
  readonly tombstones: boolean;
  /** K5: who is ready does not undo by itself. */
  readonly readyWaits: boolean;
};

export const ALL_COMMIT_RULES: CommitRules = {
  promoteComparesHead: true,
  oneSlot: true,
  lateComersJoin: true,
  decidedOnce: true,
  promoteComparesRegistrations: true,
  readBack: true,
  recordCompared: true,
  discardComparesRecord: true,
  frozenVoters: true,
  ledgerInOrder: true,
  ledgerAfterPromote: true,
  tellAll: true,
  scan: true,
  deadlines: true,
  judged: true,
  reminds: true,
  journalFirst: true,
  intentFirst: true,
  tombstones: true,
  readyWaits: true,
};
