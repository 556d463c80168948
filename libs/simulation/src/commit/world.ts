/**
 * What the coordinators of a simulated control plane share: the store with the registry's head, candidates
 * and decisions; the proposals' records; registrations; the data plane's ledger; the network. Every method
 * is one atomic transaction; what may happen between two is the scheduler's business.
 */
import type { Answer, CommandKind, Proposal, ProposalFacts, Voter } from "@greco/domain/commit";
import type { CandidateId, ConductorId, EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { CommitRules } from "./rules.ts";

export const MODEL = "flights" as ModelId;
export const ENTITY = `models/${MODEL}/entities/query/q`;

export type SimCandidate = {
  readonly id: CandidateId;
  readonly base: Epoch;
  readonly digest: string;
  readonly claimable: readonly string[];
  readonly scope: readonly EntityIdentity[];
  state: "open" | "promoted" | "discarded";
  version: number;
};

export type SimRecord = { proposal: Proposal; revision: number; readonly created: number };

export type Message = {
  readonly to: ConductorId;
  readonly command: CommandKind;
  readonly proposal: string;
  readonly candidate: CandidateId;
  readonly digest: string;
  readonly base: number;
  readonly committed: boolean;
  readonly revert: boolean;
};

export type Reply = {
  readonly conductor: ConductorId;
  readonly incarnation: number;
  readonly proposal: string;
  readonly command: CommandKind;
  readonly candidate: string;
  readonly digest: string;
  readonly answer: Answer;
};

export type LedgerRow = {
  readonly epoch: number;
  readonly candidate: CandidateId;
  readonly bindings: string;
};

export class SimViolation extends Error {
  override name = "SimViolation";
}

export class CommitWorld {
  revision = 1;
  head = 0;
  headRevision = 1;
  readonly candidates = new Map<string, SimCandidate>();
  readonly versions = new Map<number, SimCandidate>();
  readonly records = new Map<string, SimRecord>();
  slot: { proposal: string; armed: boolean } | undefined;
  active: ConductorId[] = [];
  readonly joining = new Set<ConductorId>();
  registrationsRevision = 1;
  readonly incarnations = new Map<ConductorId, number>();
  readonly deregistered = new Set<ConductorId>();
  readonly ledger: LedgerRow[] = [];
  readonly messages: Message[] = [];
  readonly replies: Reply[] = [];
  /** Every reply ever sent: what a replay is taken from. */
  readonly said: Reply[] = [];
  /** The data plane cannot be reached: nothing is marked. */
  ledgerDown = false;
  /** As written by the first transaction that took the slot: what I1 goes by. */
  readonly frozen = new Map<string, readonly Voter[]>();
  /** Live ticks that an open proposal has had with a coordinator. */
  readonly liveTicks = new Map<string, number>();
  readonly rules: CommitRules;

  constructor(rules: CommitRules) {
    this.rules = rules;
  }

  /** Candidate and proposal in one transaction; the same id again changes nothing. */
  freeze(facts: ProposalFacts, base: number, claims: boolean, queueMs: number): void {
    if (this.records.has(facts.proposal)) return;
    const created = ++this.revision;
    this.candidates.set(facts.proposal, {
      id: facts.proposal as CandidateId,
      base: base as Epoch,
      digest: `digest-${facts.proposal}`,
      claimable: claims ? [ENTITY] : [],
      scope: [],
      state: "open",
      version: 0,
    });
    const proposal: Proposal = { phase: "queued", facts, deadline: { remainingMs: queueMs } };
    this.records.set(facts.proposal, { proposal, revision: created, created });
  }

  candidate(proposal: string): SimCandidate {
    const candidate = this.candidates.get(proposal);
    if (candidate === undefined) throw new Error(`no candidate of ${proposal}`);
    return candidate;
  }

  record(proposal: string): SimRecord {
    const record = this.records.get(proposal);
    if (record === undefined) throw new Error(`no record of ${proposal}`);
    return record;
  }

  /** Compare-and-swap of the record; `undefined`: it was another one. */
  put(
    proposal: string,
    expected: number,
    state: Proposal,
    slot: "keep" | "take" | "arm" | "release",
  ): number | undefined {
    const record = this.record(proposal);
    if (this.rules.recordCompared && record.revision !== expected) return undefined;
    if (slot === "take" && !this.takeSlot(state)) return undefined;
    if (slot === "arm" && this.slot?.proposal === proposal) this.slot = { proposal, armed: true };
    if (slot === "release" && this.slot?.proposal === proposal) this.slot = this.afterRelease(state);
    record.proposal = state;
    record.revision = ++this.revision;
    return record.revision;
  }

  private takeSlot(state: Proposal): boolean {
    const { origin, proposal } = state.facts;
    const heir = origin.kind === "revert" && this.slot?.proposal === origin.of;
    if (this.slot !== undefined && !heir && this.rules.oneSlot) return false;
    if (!("frozen" in state) || state.frozen === undefined) return false;
    if (state.frozen.registrationsRevision !== this.registrationsRevision) return false;
    if (state.frozen.candidate.base !== this.head && this.rules.oneSlot) return false;
    this.slot = { proposal, armed: false };
    if (!this.frozen.has(proposal)) this.frozen.set(proposal, state.voters);
    return true;
  }

  private afterRelease(state: Proposal): CommitWorld["slot"] {
    const { origin } = state.facts;
    const aborted = state.phase === "aborted" || (state.phase === "settled" && !state.outcome.committed);
    return origin.kind === "revert" && aborted ? { proposal: origin.of, armed: true } : undefined;
  }

  promote(
    proposal: string,
    registrationsRevision: number,
    record: Proposal,
  ): "now" | "before" | "head" | "registrations" {
    const candidate = this.candidate(proposal);
    if (candidate.state !== "open" && this.rules.decidedOnce) return "before";
    if (candidate.base !== this.head && this.rules.promoteComparesHead) return "head";
    if (registrationsRevision !== this.registrationsRevision && this.rules.promoteComparesRegistrations)
      return "registrations";
    this.checkYeses(proposal, candidate);
    candidate.state = "promoted";
    this.head = candidate.base + 1;
    candidate.version = this.head;
    if (this.versions.has(this.head))
      throw new SimViolation(`I3: version ${this.head} is rewritten by ${proposal}`);
    this.versions.set(this.head, candidate);
    const { origin } = record.facts;
    if (origin.kind === "join") this.admit(origin.conductor);
    this.write(proposal, record);
    return "now";
  }

  discard(proposal: string, expected: number, record: Proposal): "now" | "before" | "moved" {
    const candidate = this.candidate(proposal);
    if (candidate.state !== "open" && this.rules.decidedOnce) return "before";
    if (this.record(proposal).revision !== expected && this.rules.discardComparesRecord) return "moved";
    candidate.state = "discarded";
    this.write(proposal, record);
    return "now";
  }

  private write(proposal: string, state: Proposal): void {
    const record = this.record(proposal);
    record.proposal = state;
    record.revision = ++this.revision;
  }

  /** Set by the conductors: whether a voter's journal holds its yes for this candidate, durably. */
  yes: (conductor: ConductorId, candidate: CandidateId) => boolean = () => false;

  private checkYeses(proposal: string, candidate: SimCandidate): void {
    const voters = this.frozen.get(proposal);
    if (voters === undefined) throw new SimViolation(`I1: ${proposal} is promoted, and nobody was asked`);
    for (const { conductor } of voters)
      if (!this.yes(conductor, candidate.id))
        throw new SimViolation(`I1: ${proposal} is promoted without a yes in the journal of ${conductor}`);
    for (const conductor of this.active)
      if (!voters.some((voter) => voter.conductor === conductor))
        throw new SimViolation(
          `I1: ${proposal} is promoted, and ${conductor}, which is registered, was left out`,
        );
  }

  /** At head 0 a registration counts at once; later by a join. */
  register(conductor: ConductorId, incarnation: number): void {
    this.incarnations.set(conductor, incarnation);
    this.deregistered.delete(conductor);
    if (this.active.includes(conductor) || this.joining.has(conductor)) return;
    const free = this.slot === undefined || !this.rules.lateComersJoin;
    if (this.head === 0 && free) this.admit(conductor);
    else this.joining.add(conductor);
  }

  private admit(conductor: ConductorId): void {
    this.joining.delete(conductor);
    this.active = [...this.active, conductor];
    this.registrationsRevision = ++this.revision;
  }

  deregister(conductor: ConductorId): void {
    this.active = this.active.filter((each) => each !== conductor);
    this.joining.delete(conductor);
    this.incarnations.delete(conductor);
    this.deregistered.add(conductor);
    this.registrationsRevision = ++this.revision;
  }

  registered(): ReadonlySet<ConductorId> {
    return new Set([...this.active, ...this.joining]);
  }

  appendLedger(row: LedgerRow): void {
    const present = this.ledger.find((each) => each.epoch === row.epoch);
    if (present !== undefined) {
      if (present.candidate !== row.candidate || present.bindings !== row.bindings)
        throw new SimViolation(`I5: the ledger has two entries for epoch ${row.epoch}`);
      return;
    }
    const version = this.versions.get(row.epoch);
    if (version === undefined || version.id !== row.candidate)
      throw new SimViolation(
        `I5: epoch ${row.epoch} is in the ledger, and ${row.candidate} is not committed as it`,
      );
    if (row.epoch !== this.ledger.length + 1)
      throw new SimViolation(
        `I5: epoch ${row.epoch} is in the ledger, and epoch ${this.ledger.length + 1} is not`,
      );
    this.ledger.push(row);
  }
}
