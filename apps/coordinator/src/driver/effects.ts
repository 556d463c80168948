/**
 * Carries out what the machine wants (libs/domain/src/commit). Each is safe to do twice, and from two coordinators
 * at once: the compare-and-swaps decide.
 */
import {
  abortedFrom,
  committedFrom,
  encodeProposal,
  outcomeOf,
  votersOf,
  type CommitEvent,
  type Confirmation,
  type Effect,
  type Proposal,
} from "@greco/domain/commit";
import { auditOperation, keys } from "@greco/control-kit";
import { InvariantError } from "@greco/domain/model";
import type { DecideResponse } from "@greco/contracts/greco/registry/v1/registry";
import { Candidate_State } from "@greco/contracts/greco/registry/v1/registry";
import { StoreUnknownError, type Compare, type Operation } from "@greco/ports";
import { GrecoError } from "@greco/sdk";
import { modelName, proposalName } from "../names.ts";
import type { Parts } from "../parts.ts";
import { isRefusal } from "../relay.ts";
import { closed, type ProposalStore } from "../store/proposal-store.ts";
import { armSlot, readSlot, releaseSlot, takeSlot } from "../store/slot.ts";
import type { Announcer } from "./announcer.ts";
import type { Ledger } from "./ledger.ts";
import { noteOwed } from "./owed.ts";
import type { Turn } from "./turn.ts";

/** What a runner holds of its proposal. */
export type Held = {
  state: Proposal;
  /** What the record in the store says, as far as we know. */
  written: Proposal;
  /** Of the record as this coordinator knows it; undefined: the registry has written it since. */
  revision: number | undefined;
  /** The turn under way. */
  turn: Turn | undefined;
  /** The ledger as it was when the slot was taken, looked at beside the votes. */
  ahead: Promise<number | undefined> | undefined;
};

export type Performed =
  | { readonly then: "go-on" }
  /** Something that the machine is to hear at once. */
  | { readonly then: "hear"; readonly event: CommitEvent }
  /** Somebody else has acted: read the proposal again. */
  | { readonly then: "reload" }
  /** It could not be done now; a reminder does it again. */
  | { readonly then: "retry"; readonly error: unknown };

const goOn: Performed = { then: "go-on" };
const reload: Performed = { then: "reload" };
const hear = (event: CommitEvent): Performed => ({ then: "hear", event });

export class Effects {
  readonly #parts: Parts;
  readonly #proposals: ProposalStore;
  readonly #announcer: Announcer;
  readonly #ledger: Ledger;

  constructor(parts: Parts, proposals: ProposalStore, announcer: Announcer, ledger: Ledger) {
    this.#parts = parts;
    this.#proposals = proposals;
    this.#announcer = announcer;
    this.#ledger = ledger;
  }

  async perform(held: Held, effect: Effect, signal: AbortSignal): Promise<Performed> {
    switch (effect.type) {
      case "persist":
        return await this.persist(held, effect.slot, signal);
      case "announce":
        return await this.#announce(held, effect, signal);
      case "announce-commit":
        this.#tell(held, () => this.#announcer.commit(held.state, signal), signal);
        return goOn;
      case "promote":
        return await retried(() => this.#promote(held, effect.atMs, signal));
      case "discard":
        return await retried(() => this.#discard(held, signal));
      case "mark":
        return await retried(() => this.#mark(held, signal));
      case "begin-revert":
        return await retried(() => this.#beginRevert(held, signal));
    }
  }

  /** The record as the state is now, if it is still as it was read. */
  async persist(
    held: Held,
    slot: "keep" | "take" | "arm" | "release",
    signal: AbortSignal,
  ): Promise<Performed> {
    const { store, failpoint } = this.#parts;
    const { state } = held;
    const { model, proposal } = state.facts;
    const revision = held.revision ?? (await this.#revisionOf(state, signal));
    if (revision === undefined) return reload;
    if (slot === "take") await failpoint("commit.propose.before");
    const { compare, then } = await this.#slotChange(held, slot, signal);
    const key = keys.proposal(model, proposal);
    const transaction = {
      compare: [{ key, target: "modRevision", is: "=", value: revision } satisfies Compare, ...compare],
      then: [
        { type: "put", key, value: encodeProposal(state).record } satisfies Operation,
        ...then,
        ...this.#expired(held),
        ...noteOwed(state),
        ...closed(state),
      ],
    };
    try {
      const result = await store.transact(transaction, signal);
      if (!result.succeeded) return reload;
      held.revision = result.revision;
    } catch (error) {
      // It may have taken effect: what stands is read before anything is built on it.
      if (error instanceof StoreUnknownError) return reload;
      throw error;
    }
    if (slot === "take") {
      held.turn = undefined;
      await failpoint("commit.propose.after");
    }
    return goOn;
  }

  /** After a decision the record is the registry's; it is ours again if it says what we know. */
  async #revisionOf(state: Proposal, signal: AbortSignal): Promise<number | undefined> {
    const { model, proposal } = state.facts;
    const stored = await this.#proposals.read(model, proposal, signal);
    const outcome = outcomeOf(state);
    if (stored === undefined || outcome === undefined) return undefined;
    const standing = outcomeOf(stored.proposal);
    // A registry that does not write the record leaves it as it was: then it is ours to write.
    if (standing === undefined) return stored.revision;
    const untouched = stored.proposal.phase === (outcome.committed ? "committed" : "aborted");
    const same = JSON.stringify(confirmationOf(standing)) === JSON.stringify(confirmationOf(outcome));
    return untouched && same ? stored.revision : undefined;
  }

  async #slotChange(
    held: Held,
    slot: "keep" | "take" | "arm" | "release",
    signal: AbortSignal,
  ): Promise<{ readonly compare: readonly Compare[]; readonly then: readonly Operation[] }> {
    const { state, turn } = held;
    if (slot === "keep") return { compare: [], then: [] };
    if (slot === "take") {
      if (turn === undefined) throw new Error("the slot is taken in a turn");
      const { compare, then } = takeSlot(state, turn.slot);
      return { compare: [...compare, ...turn.compare], then: [...then, this.#proposed(state)] };
    }
    const standing = await readSlot(this.#parts.store, state.facts.model, signal);
    return slot === "arm" ? armSlot(state, standing) : releaseSlot(state, standing);
  }

  /** Make-it-so in the audit log, in the transaction that begins to prepare; the registry's tells of the freeze. */
  #proposed(state: Proposal): Operation {
    const { clock, ids } = this.#parts;
    const { model, proposal, actor, reason, origin } = state.facts;
    const restores = origin.kind === "rollback" || origin.kind === "revert";
    return auditOperation(model, ids.next(), {
      timeMs: clock.nowMs(),
      method: `greco.commit.v1.CommitService/${restores ? "Rollback" : "MakeItSo"}`,
      resource: proposalName(model, proposal),
      outcome: "proposed",
      detail: {
        candidate: proposal,
        origin: origin.kind,
        voters: votersOf(state).map((voter) => voter.conductor),
      },
      ...{ actor, reason },
    });
  }

  /** The timer's decision, which no call tells of. */
  #expired({ state, written }: Held): readonly Operation[] {
    const confirmation = confirmedBy(state);
    if (confirmation?.state !== "reverting" || confirmedBy(written)?.state !== "armed") return [];
    const { clock, ids } = this.#parts;
    const { model, proposal } = state.facts;
    const record = auditOperation(model, ids.next(), {
      timeMs: clock.nowMs(),
      actor: "coordinator",
      method: "greco.commit.v1.CommitService/ConfirmProposal",
      resource: proposalName(model, proposal),
      reason: "it was not confirmed in time",
      outcome: "reverting",
      detail: { revert: confirmation.proposal },
    });
    return [record];
  }

  async #announce(
    held: Held,
    { command, to }: Effect & { type: "announce" },
    signal: AbortSignal,
  ): Promise<Performed> {
    const { failpoint } = this.#parts;
    if (command === "settle" || command === "disarm") await failpoint("commit.settle.before");
    this.#tell(held, () => this.#announcer.command(held.state, command, to, signal), signal);
    if (command === "prepare") await failpoint("commit.prepare.announced");
    return goOn;
  }

  /** Not waited for: what is not answered is announced again. */
  #tell({ state }: Held, publish: () => Promise<void>, signal: AbortSignal): void {
    publish().catch((error: unknown) => {
      if (!signal.aborted)
        this.#parts.log.warn("commit.announce.failed", { proposal: state.facts.proposal, error });
    });
  }

  async #promote(held: Held, atMs: number, signal: AbortSignal): Promise<Performed> {
    const { registry, failpoint } = this.#parts;
    const { state } = held;
    if (state.phase !== "ready") return goOn;
    const { facts, frozen } = state;
    const { model, proposal, origin } = facts;
    const { base, digest, id } = frozen.candidate;
    // I5: looked at beside the votes, so that it costs no time here.
    const ahead = await (held.ahead ?? this.#ledger.aheadOf(model, base, signal));
    if (ahead !== undefined)
      return hear({
        type: "refused",
        why: "ledger-ahead",
        detail: `it has epoch ${ahead}, the head is ${base}`,
      });
    const { record, detail } = encodeProposal(committedFrom(state, atMs));
    if (detail !== undefined) await this.#proposals.writeDetail(model, proposal, detail, signal);
    await failpoint("commit.promote.before");
    let answer: DecideResponse;
    try {
      answer = await registry.promote(
        {
          parent: modelName(model),
          candidate: id,
          registrationsRevision: BigInt(frozen.registrationsRevision),
          joiningConductors: origin.kind === "join" ? [origin.conductor] : [],
          proposalRecord: record,
          ...{ digest, actor: facts.actor, reason: facts.reason },
        },
        { signal },
      );
    } catch (error) {
      if (isRefusal(error)) return hear({ type: "refused", why: "not-promotable", detail: error.message });
      throw error;
    }
    await failpoint("commit.promote.after");
    const { refused } = answer;
    if (refused === "HEAD_MOVED")
      return hear({ type: "refused", why: "head-moved", detail: `it was ${base}` });
    if (refused !== "")
      return hear({
        type: "refused",
        why: "registrations-changed",
        detail: "one was deregistered, or registered anew",
      });
    return this.#decided(held, answer, { type: "promoted", atMs });
  }

  async #discard(held: Held, signal: AbortSignal): Promise<Performed> {
    const { registry } = this.#parts;
    const { state } = held;
    if (state.phase !== "aborting") return goOn;
    const { model, proposal } = state.facts;
    const { cause, message, by } = state.abort;
    // Who aborts must know whether anybody was asked, so the record must be as we read it.
    if (held.revision === undefined) return reload;
    const answer = await registry.discard(
      {
        parent: modelName(model),
        candidate: proposal,
        reason: `${cause}: ${message}`.slice(0, REASON_MAX),
        actor: by,
        proposalRecord: encodeProposal(abortedFrom(state)).record,
        proposalRevision: BigInt(held.revision),
      },
      { signal },
    );
    return answer.refused === "" ? this.#decided(held, answer, { type: "discarded" }) : reload;
  }

  /** I2: what was decided before, by whomever, is read from the store with the record that went with it. */
  #decided(held: Held, { candidate, decidedNow }: DecideResponse, ours: CommitEvent): Performed {
    const wanted = ours.type === "promoted" ? Candidate_State.PROMOTED : Candidate_State.DISCARDED;
    if (!decidedNow || candidate?.state !== wanted) return reload;
    held.revision = undefined;
    return hear(ours);
  }

  async #mark({ state }: Held, signal: AbortSignal): Promise<Performed> {
    const { failpoint } = this.#parts;
    await failpoint("commit.ledger.before");
    await this.#ledger.mark(state, signal);
    await failpoint("commit.ledger.after");
    return hear({ type: "marked" });
  }

  /** Under an id that the record names, so that whoever comes after begins the same one. */
  async #beginRevert({ state }: Held, signal: AbortSignal): Promise<Performed> {
    const { registry, clock, failpoint, limits } = this.#parts;
    if (state.phase !== "marked" || state.confirmation?.state !== "reverting") return goOn;
    const { model, proposal: of } = state.facts;
    const { proposal } = state.confirmation;
    const stored = await this.#proposals.read(model, proposal, signal);
    if (stored !== undefined) {
      const outcome = outcomeOf(stored.proposal);
      return outcome === undefined
        ? goOn
        : hear({ type: "revert-ended", proposal, committed: outcome.committed });
    }
    const toVersion = state.frozen.candidate.base;
    const facts = {
      ...state.facts,
      proposal,
      origin: { kind: "revert", of, toVersion },
      actor: "coordinator",
      reason: `proposal ${of} was not confirmed`,
      createdAtMs: clock.nowMs(),
      confirmWithinMs: undefined,
    } as const;
    await failpoint("commit.revert.before");
    try {
      await registry.freeze(
        {
          parent: modelName(model),
          source: { case: "restoreVersion", value: BigInt(toVersion) },
          actor: facts.actor,
          reason: facts.reason,
          proposalRecord: encodeProposal({
            phase: "queued",
            facts,
            deadline: { remainingMs: limits.queueMs },
          }).record,
          proposalId: proposal,
        },
        { signal },
      );
    } catch (error) {
      // The content is the old one already: there is nothing to take back.
      if (error instanceof GrecoError && error.reason === "NOTHING_TO_RESTORE")
        return hear({ type: "revert-ended", proposal, committed: true });
      throw error;
    }
    await failpoint("commit.revert.after");
    return goOn;
  }
}

const REASON_MAX = 1_000;

function confirmationOf(outcome: ReturnType<typeof outcomeOf>): Confirmation | undefined {
  return outcome?.committed === true ? outcome.confirmation : undefined;
}

const confirmedBy = (state: Proposal): Confirmation | undefined => confirmationOf(outcomeOf(state));

/** A reminder does it again; the state is as true as before. */
async function retried(work: () => Promise<Performed>): Promise<Performed> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    return { then: "retry", error };
  }
}
