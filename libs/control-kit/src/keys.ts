/**
 * Where everything stands in the CP store. Registry and coordinator share the store; each key has one
 * writer, named behind it.
 */
const padded = (n: number): string => String(n).padStart(15, "0");

export const keys = {
  /** registry */
  model: (model: string): string => `model/${model}`,
  models: (): string => "model/",
  /** registry: `{version, candidate}`; its change is the commit point. */
  head: (model: string): string => `head/${model}`,
  kind: (model: string, kind: string): string => `kind/${model}/${kind}`,
  kinds: (model: string): string => `kind/${model}/`,
  /** registry */
  draft: (model: string, draft: string): string => `draft/${model}/${draft}`,
  drafts: (model: string): string => `draft/${model}/`,
  draftChunks: (model: string, draft: string): string => `draft-chunk/${model}/${draft}/`,
  /** registry */
  candidate: (model: string, candidate: string): string => `candidate/${model}/${candidate}`,
  candidates: (model: string): string => `candidate/${model}/`,
  candidateChunks: (model: string, candidate: string): string => `candidate-chunk/${model}/${candidate}/`,
  /** registry: candidates that are not promoted, with since when; swept. */
  pendingCandidate: (model: string, candidate: string): string => `pending/${model}/${candidate}`,
  pendingCandidates: (model: string): string => `pending/${model}/`,
  allPendingCandidates: (): string => "pending/",
  /** registry: touched by each freeze, and by each change of a kind: each compares the other's. */
  frozen: (model: string): string => `frozen/${model}`,
  kindSet: (model: string): string => `kind-set/${model}`,
  /** registry: a model's whole content at a version, so that nobody folds from the first one. */
  snapshot: (model: string, version: number): string => `snapshot/${model}/${padded(version)}`,
  snapshots: (model: string): string => `snapshot/${model}/`,
  snapshotChunks: (model: string, version: number): string => `snapshot-chunk/${model}/${padded(version)}/`,
  /** registry */
  version: (model: string, version: number): string => `version/${model}/${padded(version)}`,
  versions: (model: string): string => `version/${model}/`,
  /** registry */
  roleBinding: (model: string, subject: string): string => `role/${model}/${subject}`,
  roleBindings: (model: string): string => `role/${model}/`,
  /** registry and coordinator, create only; ids grow with time. */
  audit: (model: string, id: string): string => `audit/${model}/${id}`,
  audits: (model: string): string => `audit/${model}/`,
  /** registry (request ids of creates): the name of what was created. */
  request: (model: string, requestId: string): string => `request/${model}/${requestId}`,
  allRequests: (): string => "request/",
  /** Created by the registry in the transaction of freeze, then the coordinator's. */
  proposal: (model: string, proposal: string): string => `proposal/${model}/${proposal}`,
  proposals: (model: string): string => `proposal/${model}/`,
  allProposals: (): string => "proposal/",
  /** Those that have not settled: made with the proposal, deleted by the coordinator with the write that settles it. */
  openProposal: (model: string, proposal: string): string => `open/${model}/${proposal}`,
  allOpenProposals: (): string => "open/",
  /** coordinator: what of a proposal's record is too large for it, in parts, written before promote. */
  proposalDetails: (model: string, proposal: string): string => `proposal-detail/${model}/${proposal}/`,
  /** coordinator: the proposal that prepares now. */
  slot: (model: string): string => `slot/${model}`,
  /** coordinator, and the registry when a promote makes a join count: who votes. Its modRevision is the registrations' revision. */
  registrations: (model: string): string => `registrations/${model}`,
  allRegistrations: (): string => "registrations/",
  /** coordinator: incarnation and when last heard; apart, so that a restart does not disturb a promote. */
  conductor: (model: string, conductor: string): string => `conductor/${model}/${conductor}`,
  conductors: (model: string): string => `conductor/${model}/`,
  allConductors: (): string => "conductor/",
  /** coordinator: outcomes that a deregistered conductor has not confirmed; told when it comes back. */
  owed: (model: string, conductor: string, proposal: string): string =>
    `owed/${model}/${conductor}/${proposal}`,
  allOwed: (model: string): string => `owed/${model}/`,
  /** coordinator: answers that reached a replica which does not drive, in parts, until a lease ends. */
  answer: (model: string, command: string, conductor: string): string =>
    `answer/${model}/${command}/${conductor}/`,
  answers: (): string => "answer/",
  /** coordinator: who drives (a lease). */
  driver: (): string => "driver",
} as const;
