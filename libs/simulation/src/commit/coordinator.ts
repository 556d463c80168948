/**
 * A coordinator in simulation: the shell that carries out the machine's effects one at a time, so that it can
 * die between any two. Several act at once, as when the driver's lease has failed.
 */
import {
  abortedFrom,
  committedFrom,
  freezeVoters,
  frozenOf,
  isDecided,
  judgeAnswer,
  ledgerEntryOf,
  outcomeOf,
  step,
  votersOf,
  type CommitEvent,
  type CommitLimits,
  type Effect,
  type Outcome,
  type Proposal,
} from "@greco/domain/commit";
import type { ConductorId } from "@greco/domain/model";
import type { Random } from "../random.ts";
import { type CommitWorld, type Reply } from "./world.ts";

type Runner = { state: Proposal; revision: number; effects: Effect[]; inbox: CommitEvent[] };

export class SimCoordinator {
  up = true;
  /** How often an answer of the store is lost. */
  ambiguity = 0;
  readonly runners = new Map<string, Runner>();
  private readonly world: CommitWorld;
  private readonly limits: CommitLimits;
  private readonly random: Random;

  constructor(world: CommitWorld, limits: CommitLimits, random: Random) {
    this.world = world;
    this.limits = limits;
    this.random = random;
  }

  crash(): void {
    this.up = false;
    this.runners.clear();
  }

  start(): void {
    this.up = true;
  }

  /** Open proposals that it does not know yet, by scan or by watch; and what another has written meanwhile. */
  look(): void {
    for (const [proposal, record] of this.world.records) {
      const runner = this.runners.get(proposal);
      if (runner === undefined) {
        if (record.proposal.phase === "settled") continue;
        // Without a scan, only what is made while it looks on is seen.
        if (!this.world.rules.scan && record.proposal.phase !== "queued") continue;
        this.load(proposal, this.limits.intervalMs);
      } else if (runner.effects.length === 0 && runner.revision !== record.revision) this.load(proposal, 0);
      else this.lookAtRevert(runner);
    }
  }

  /** How the revert that a proposal waits for has ended. */
  private lookAtRevert(runner: Runner): void {
    const { state } = runner;
    if (state.phase !== "marked" || state.confirmation?.state !== "reverting") return;
    const { proposal } = state.confirmation;
    const ended = this.world.records.get(proposal)?.proposal;
    const outcome = ended && outcomeOf(ended);
    if (outcome !== undefined)
      runner.inbox.push({ type: "revert-ended", proposal, committed: outcome.committed });
  }

  private load(proposal: string, chargeMs: number): void {
    const { proposal: state, revision } = this.world.record(proposal);
    if (state.phase === "settled") {
      this.runners.delete(proposal);
      return;
    }
    const { claimable, scope } = this.world.candidate(proposal);
    const registered = this.world.registered();
    const runner: Runner = { state, revision, effects: [], inbox: [] };
    this.runners.set(proposal, runner);
    this.handle(runner, { type: "recovered", chargeMs, registered, claimable, scope });
  }

  /** Gives the slot to the one that has waited longest; a revert goes before all. */
  turn(): void {
    const queued = [...this.runners.values()]
      .filter((runner) => runner.state.phase === "queued" && runner.effects.length === 0)
      .toSorted((a, b) => this.created(a) - this.created(b));
    const { slot } = this.world;
    const next =
      slot === undefined || !this.world.rules.oneSlot
        ? queued[0]
        : queued.find(
            ({
              state: {
                facts: { origin },
              },
            }) => origin.kind === "revert" && origin.of === slot.proposal,
          );
    if (next !== undefined) this.handle(next, this.turnOf(next));
  }

  private created({ state }: Runner): number {
    return this.world.record(state.facts.proposal).created;
  }

  private turnOf({ state }: Runner): CommitEvent {
    const { id, digest, base, claimable, scope } = this.world.candidate(state.facts.proposal);
    const { origin } = state.facts;
    const active = this.world.active.map((conductor) => ({ conductor, kinds: [] }));
    return {
      type: "turn",
      head: this.world.head as typeof base,
      frozen: {
        candidate: { id, digest, base, changeCount: 1, author: "ann", scope },
        registrationsRevision: this.world.registrationsRevision,
      },
      voters: freezeVoters("all", active, new Set(), origin.kind === "join" ? origin.conductor : undefined),
      claimable,
    };
  }

  /** One effect, or one event when none is left. */
  work(): boolean {
    const runner = this.random
      .shuffled([...this.runners.values()])
      .find((each) => each.effects.length + each.inbox.length > 0);
    if (runner === undefined) return false;
    const effect = runner.effects.shift();
    if (effect !== undefined) this.perform(runner, effect);
    else {
      const event = runner.inbox.shift();
      if (event !== undefined) this.handle(runner, event);
    }
    return true;
  }

  tick(elapsedMs: number): void {
    for (const [proposal, runner] of this.runners) {
      if (!isDecided(runner.state))
        this.world.liveTicks.set(proposal, (this.world.liveTicks.get(proposal) ?? 0) + 1);
      if (this.world.rules.deadlines) runner.inbox.push({ type: "tick", elapsedMs });
    }
  }

  remind(): void {
    for (const runner of this.runners.values())
      if (this.world.rules.reminds && runner.effects.length === 0) runner.inbox.push({ type: "remind" });
  }

  /** From a user, by name. */
  tell(proposal: string, event: CommitEvent): void {
    this.runners.get(proposal)?.inbox.push(event);
  }

  tellAll(event: CommitEvent): void {
    for (const runner of this.runners.values()) runner.inbox.push(event);
  }

  hear(reply: Reply): void {
    const runner = this.runners.get(reply.proposal);
    if (runner === undefined) return;
    const { conductor, command, answer } = reply;
    if (this.world.rules.judged) {
      const verdict = judgeAnswer(runner.state, this.world.incarnations.get(conductor), reply);
      if (verdict.verdict !== "new") return;
    }
    this.handle(runner, { type: "answer", conductor, command, answer });
  }

  private handle(runner: Runner, event: CommitEvent): void {
    if (!this.world.rules.frozenVoters && event.type === "deregistered")
      return this.forget(runner, event.conductor);
    const next = step(runner.state, event, { limits: this.limits, nowMs: this.world.revision });
    runner.state = next.state;
    runner.effects.push(...next.effects);
  }

  /** What the frozen set forbids: who is gone is simply not counted any more. */
  private forget(runner: Runner, conductor: ConductorId): void {
    if (!("voters" in runner.state)) return;
    const voters = runner.state.voters.filter((voter) => voter.conductor !== conductor);
    runner.state = { ...runner.state, voters };
    this.handle(runner, {
      type: "recovered",
      chargeMs: 0,
      registered: this.world.registered(),
      claimable: [],
      scope: [],
    });
  }

  private perform(runner: Runner, effect: Effect): void {
    const { proposal } = runner.state.facts;
    switch (effect.type) {
      case "persist":
        return this.persist(runner, effect.slot);
      case "announce":
        return this.announce(runner, effect);
      case "announce-commit":
        return;
      case "promote":
        return this.promote(runner, effect.atMs);
      case "discard": {
        if (runner.state.phase !== "aborting") return;
        if (this.lost()) return this.ambiguous(runner, () => this.discard(runner));
        return this.discard(runner);
      }
      case "mark":
        if (this.world.ledgerDown) return;
        this.mark(runner.state);
        return this.handle(runner, { type: "marked" });
      case "begin-revert": {
        const { state } = runner;
        if (state.phase !== "marked" || state.confirmation?.state !== "reverting") return;
        const origin = { kind: "revert", of: proposal, toVersion: state.frozen.candidate.base } as const;
        const facts = {
          ...state.facts,
          proposal: state.confirmation.proposal,
          origin,
          confirmWithinMs: undefined,
        };
        return this.world.freeze(facts, this.world.head, false, this.limits.queueMs);
      }
    }
  }

  /** Now and then an answer of the store is lost: it may have taken effect or not. */
  private lost(): boolean {
    return this.random.chance(this.ambiguity);
  }

  private ambiguous(runner: Runner, call: () => void): void {
    const proposal = runner.state.facts.proposal;
    if (this.random.chance(0.5)) call();
    if (this.runners.get(proposal) === undefined) return;
    this.load(proposal, 0);
  }

  private persist(runner: Runner, slot: "keep" | "take" | "arm" | "release"): void {
    const { proposal } = runner.state.facts;
    const state = runner.state.phase === "aborting" ? runner.state.from : runner.state;
    const unheard = this.lost();
    const revision =
      unheard && this.random.chance(0.5) ? undefined : this.world.put(proposal, runner.revision, state, slot);
    if (revision === undefined || unheard) return this.load(proposal, 0);
    runner.revision = revision;
    if (state.phase === "settled") this.runners.delete(proposal);
  }

  private announce(runner: Runner, { command, to }: Effect & { type: "announce" }): void {
    const { state } = runner;
    const frozen = frozenOf(state);
    if (frozen === undefined) return;
    const { id: candidate, digest, base } = frozen.candidate;
    const asked = (conductor: ConductorId): boolean =>
      this.world.rules.tellAll ||
      command !== "settle" ||
      votersOf(state).some((voter) => voter.conductor === conductor && voter.vote.stage !== "asked");
    const { proposal, origin } = state.facts;
    for (const conductor of to.filter(asked))
      this.world.messages.push({
        to: conductor,
        command,
        proposal,
        candidate,
        digest,
        base,
        committed: outcomeOf(state)?.committed ?? false,
        revert: origin.kind === "revert",
      });
  }

  private promote(runner: Runner, atMs: number): void {
    const { state } = runner;
    if (state.phase !== "ready") return;
    const { proposal } = state.facts;
    const committed = committedFrom(state, atMs);
    if (this.world.ledger.length > state.frozen.candidate.base)
      return this.handle(runner, { type: "refused", why: "ledger-ahead", detail: "" });
    if (!this.world.rules.ledgerAfterPromote) this.mark(committed);
    const unheard = this.lost();
    const answer =
      unheard && this.random.chance(0.5)
        ? undefined
        : this.world.promote(proposal, state.frozen.registrationsRevision, committed);
    if (unheard && !this.world.rules.readBack) return this.takeForFailure(runner);
    if (unheard || answer === undefined || answer === "before") return this.load(proposal, 0);
    if (answer === "head") return this.handle(runner, { type: "refused", why: "head-moved", detail: "" });
    if (answer === "registrations")
      return this.handle(runner, { type: "refused", why: "registrations-changed", detail: "" });
    runner.revision = this.world.record(proposal).revision;
    this.handle(runner, { type: "promoted", atMs });
  }

  /** What reading back forbids: an answer that was not heard is taken for a no, and everybody is told. */
  private takeForFailure(runner: Runner): void {
    this.handle(runner, { type: "withdrawn", by: "coordinator", reason: "no answer" });
    runner.effects = [];
    this.handle(runner, { type: "discarded" });
    runner.effects = runner.effects.filter((effect) => effect.type === "announce");
  }

  private discard(runner: Runner): void {
    const { state } = runner;
    if (state.phase !== "aborting") return;
    const { proposal } = state.facts;
    if (this.world.discard(proposal, runner.revision, abortedFrom(state)) !== "now")
      return this.load(proposal, 0);
    runner.revision = this.world.record(proposal).revision;
    this.handle(runner, { type: "discarded" });
  }

  /** Lower entries first: they are derived from the records of their proposals. */
  private mark(state: Proposal): void {
    const outcome = outcomeOf(state);
    if (outcome?.committed !== true) return;
    const from = this.world.rules.ledgerInOrder ? this.world.ledger.length + 1 : outcome.version;
    for (let epoch = from; epoch < outcome.version; epoch += 1) {
      const candidate = this.world.versions.get(epoch);
      if (candidate !== undefined) this.append(this.world.record(candidate.id).proposal);
    }
    this.append(state);
  }

  private append(state: Proposal): void {
    const outcome: Outcome | undefined = outcomeOf(state);
    const frozen = frozenOf(state);
    if (outcome?.committed !== true || frozen === undefined) return;
    const entry = ledgerEntryOf(state.facts, frozen.candidate, outcome);
    this.world.appendLedger({
      epoch: entry.epoch,
      candidate: entry.candidate,
      bindings: entry.bindings.map((binding) => (binding.removed ? "" : binding.hash)).join(),
    });
  }
}
