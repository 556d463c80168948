/**
 * Runs one proposal on the driver: a mailbox, so that one thing happens at a time, and the machine behind it.
 *
 * D1. What is durable comes before what is built on it: effects are carried out in order, and what is left of
 *     them is dropped when somebody else turns out to have acted; then the proposal is read again.
 * D2. Only live time is counted against a deadline, and what is left is written down each interval (I11).
 * D3. A failure of the store or of the registry is waited out; it decides nothing.
 */
import {
  elapsedMs,
  frozenOf,
  judgeAnswer,
  step,
  type AnswerEnvelope,
  type CommitEvent,
  type Effect,
  type Phase,
  type Proposal,
  type Verdict,
} from "@greco/domain/commit";
import { InvariantError } from "@greco/domain/model";
import { inSpan, spanOf, underTrace, withoutTrace } from "@greco/telemetry";
import { pauseMs } from "../backoff.ts";
import type { Parts } from "../parts.ts";
import { registeredConductors } from "../store/conductor-store.ts";
import type { ProposalStore, StoredProposal } from "../store/proposal-store.ts";
import { claimableOf, type Candidates } from "./candidates.ts";
import type { Effects, Held, Performed } from "./effects.ts";
import type { Ledger } from "./ledger.ts";
import { readTurn, type TurnMemory } from "./turn.ts";

export type RunnerContext = {
  readonly parts: Parts;
  readonly proposals: ProposalStore;
  readonly candidates: Candidates;
  readonly effects: Effects;
  readonly ledger: Ledger;
  /** The phase, or who has the slot, may have changed. */
  readonly changed: (runner: Runner) => void;
  /** Whether a proposal that holds the slot is over. */
  readonly abandoned: (proposal: string) => Promise<boolean>;
  readonly memory: TurnMemory;
};

type Mail =
  | { readonly mail: "event"; readonly event: CommitEvent }
  | { readonly mail: "load"; readonly chargeMs: number }
  | { readonly mail: "moved"; readonly revision: number }
  | { readonly mail: "turn" }
  | { readonly mail: "tick" }
  | { readonly mail: "flush" };

export class Runner {
  readonly model: string;
  readonly id: string;
  /** Its place in the queue. */
  readonly created: number;
  readonly #context: RunnerContext;
  readonly #held: Held;
  readonly #mailbox: Mail[] = [];
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly done: Promise<void>;
  #wake: (() => void) | undefined;
  #dirtySinceMs: number | undefined;
  /** By the wall clock; only for traces. */
  #enteredAtMs: number;
  #tickedAtMs: number;
  #elapsedMs = 0;
  #remindAtMs: number;
  #reminders = 0;
  #failures = 0;

  constructor(stored: StoredProposal, chargeMs: number, context: RunnerContext, signal: AbortSignal) {
    const nowMs = context.parts.clock.monotonicMs();
    this.model = stored.model;
    this.id = stored.id;
    this.created = stored.created;
    this.#context = context;
    const { proposal, revision } = stored;
    this.#held = { state: proposal, written: proposal, revision, turn: undefined, ahead: undefined };
    this.#tickedAtMs = nowMs;
    this.#enteredAtMs = context.parts.clock.nowMs();
    this.#remindAtMs = nowMs + context.parts.limits.remindMinMs;
    this.#signal = AbortSignal.any([signal, this.#ending.signal]);
    // New, as it was just read: there is nothing to recover.
    if (stored.proposal.phase !== "queued" || chargeMs > 0) this.#post({ mail: "load", chargeMs });
    this.done = withoutTrace(() => this.#run());
  }

  get state(): Proposal {
    return this.#held.state;
  }

  get revision(): number {
    return this.#held.revision ?? 0;
  }

  end(): void {
    this.#ending.abort(new Error("the proposal is not run here any more"));
  }

  /** Judges at once, so that the conductor hears why; what counts is taken in turn. */
  answer(said: AnswerEnvelope, registered: number | undefined): Verdict {
    const verdict = judgeAnswer(this.state, registered, said);
    const { conductor, command, answer } = said;
    if (verdict.verdict === "new") {
      this.#context.parts.counts.answers.add(1, { kind: answer.kind });
      this.push({ type: "answer", conductor, command, answer });
    }
    return verdict;
  }

  push(event: CommitEvent): void {
    this.#post({ mail: "event", event });
  }

  /** The record was written, by us or by another. */
  moved(revision: number): void {
    if (revision > this.revision) this.#post({ mail: "moved", revision });
  }

  turn(): void {
    if (!this.#mailbox.some((each) => each.mail === "turn")) this.#post({ mail: "turn" });
  }

  /** What is due by the clock. */
  pulse(nowMs: number): void {
    const { limits } = this.#context.parts;
    const left = remainingMs(this.state);
    if (left !== undefined && nowMs - this.#tickedAtMs >= Math.min(limits.intervalMs, left)) {
      this.#elapsedMs += elapsedMs(limits, this.#tickedAtMs, nowMs);
      this.#tickedAtMs = nowMs;
      if (!this.#mailbox.some((each) => each.mail === "tick")) this.#post({ mail: "tick" });
    }
    if (nowMs >= this.#remindAtMs && this.state.phase !== "queued") {
      this.#reminders += 1;
      const pauses = { minMs: limits.remindMinMs, maxMs: limits.remindMaxMs };
      this.#remindAtMs = nowMs + pauseMs(pauses, this.#reminders, this.#context.parts.ids);
      this.push({ type: "remind" });
    }
    if (this.#dirtySinceMs !== undefined && nowMs - this.#dirtySinceMs >= limits.flushMs) {
      this.#dirtySinceMs = undefined;
      this.#post({ mail: "flush" });
    }
  }

  #post(mail: Mail): void {
    this.#mailbox.push(mail);
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { parts } = this.#context;
    const { clock, ids, log, limits } = parts;
    while (!this.#signal.aborted) {
      try {
        const mail = this.#mailbox.shift();
        if (mail === undefined) {
          await this.#mailArrives();
          continue;
        }
        await underTrace(this.state.facts.trace, () => this.#handle(mail));
        this.#failures = 0;
        if (this.state.phase === "settled") {
          await parts.failpoint("commit.settle.after");
          return this.#context.changed(this);
        }
      } catch (error) {
        if (this.#signal.aborted) return;
        if (error instanceof InvariantError) return parts.crash(error);
        // D3
        log.warn("commit.retry", { model: this.model, proposal: this.id, phase: this.state.phase, error });
        this.#mailbox.unshift({ mail: "load", chargeMs: 0 });
        const pauses = { minMs: limits.backoffMinMs, maxMs: limits.backoffMaxMs };
        this.#failures += 1;
        await clock.sleep(pauseMs(pauses, this.#failures, ids), this.#signal).catch(() => undefined);
      }
    }
  }

  #mailArrives(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake = undefined;
        this.#signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#wake = wake;
      this.#signal.addEventListener("abort", wake, { once: true });
    });
  }

  async #handle(mail: Mail): Promise<void> {
    switch (mail.mail) {
      case "event":
        return await this.#hear(mail.event);
      case "load":
        return await this.#load(mail.chargeMs);
      case "moved":
        if (this.#held.revision !== undefined && mail.revision <= this.#held.revision) return;
        return await this.#load(0);
      case "turn":
        return await this.#takeTurn();
      case "tick": {
        const event = { type: "tick", elapsedMs: this.#elapsedMs } as const;
        this.#elapsedMs = 0;
        return await this.#hear(event);
      }
      case "flush":
        if (this.state === this.#held.written || !isShown(this.state)) return;
        return await this.#perform({ type: "persist", slot: "keep" }, []);
    }
  }

  /** D1 */
  async #load(chargeMs: number): Promise<void> {
    const { parts, proposals, candidates, memory } = this.#context;
    memory.known = undefined;
    const stored = await proposals.read(this.model, this.id, this.#signal);
    if (stored === undefined) {
      parts.log.error("commit.record-gone", { model: this.model, proposal: this.id });
      return this.end();
    }
    this.#held.state = stored.proposal;
    this.#held.revision = stored.revision;
    this.#held.turn = undefined;
    this.#held.written = stored.proposal;
    this.#dirtySinceMs = undefined;
    const { phase } = stored.proposal;
    this.#context.changed(this);
    if (phase === "settled") return;
    const asking = phase === "proposed" || phase === "accepted" || phase === "ready";
    const [registered, content] = await Promise.all([
      registeredConductors(parts.store, this.model, this.#signal),
      asking ? candidates.get(this.model, this.id, this.#signal) : undefined,
    ]);
    const claimable = content === undefined ? [] : claimableOf(content.candidate);
    const scope = frozenOf(stored.proposal)?.candidate.scope ?? [];
    await this.#hear({ type: "recovered", chargeMs, registered, claimable, scope });
  }

  async #takeTurn(): Promise<void> {
    if (this.state.phase !== "queued") return;
    const { parts, candidates, ledger, abandoned, memory } = this.#context;
    const turn = await readTurn(parts, candidates, this.state, abandoned, memory, this.#signal);
    if (turn === undefined) return;
    if ("gone" in turn) return await this.#hear({ type: "deregistered", conductor: turn.gone });
    this.#held.turn = turn;
    const { base } = turn.event.frozen.candidate;
    const ahead = ledger.aheadOf(this.model, base, this.#signal);
    // Looked at again, and then waited for, when it is needed.
    ahead.catch(() => (this.#held.ahead = undefined));
    this.#held.ahead = ahead;
    await this.#hear(turn.event);
  }

  async #hear(first: CommitEvent): Promise<void> {
    const { parts } = this.#context;
    const events = [first];
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      const before = this.state;
      const { state, effects } = step(before, event, {
        limits: parts.limits,
        nowMs: parts.clock.nowMs(),
        freshId: parts.ids.next(),
      });
      this.#held.state = state;
      if (state.phase !== before.phase) await this.#entered(state, before.phase);
      if (!(await this.#performAll(effects, events))) return;
      if (state !== this.#held.written && isShown(state)) this.#dirtySinceMs ??= parts.clock.monotonicMs();
      if (state.phase !== before.phase || event.type === "recovered") this.#context.changed(this);
    }
  }

  async #entered(state: Proposal, from: Phase): Promise<void> {
    const { log, failpoint, clock, limits, counts } = this.#context.parts;
    const abort = state.phase === "aborting" ? state.abort : undefined;
    log.info(`commit.${state.phase}`, { model: this.model, proposal: this.id, from, ...abort });
    counts.phases.add(1, { phase: state.phase });
    const nowMs = clock.nowMs();
    const { facts } = state;
    const about = { model: this.model, proposal: this.id };
    spanOf(facts.trace, `commit ${from}`, { fromMs: this.#enteredAtMs, toMs: nowMs }, about);
    this.#enteredAtMs = nowMs;
    this.#reminders = 0;
    this.#remindAtMs = clock.monotonicMs() + limits.remindMinMs;
    this.#tickedAtMs = clock.monotonicMs();
    if (state.phase === "accepted") await failpoint("commit.accepted");
  }

  /** False: what is left was dropped. */
  async #performAll(effects: readonly Effect[], events: CommitEvent[]): Promise<boolean> {
    for (const effect of effects) if (!(await this.#performed(effect, events))) return false;
    return true;
  }

  async #perform(effect: Effect, events: CommitEvent[]): Promise<void> {
    await this.#performed(effect, events);
  }

  async #performed(effect: Effect, events: CommitEvent[]): Promise<boolean> {
    const { parts, effects } = this.#context;
    const perform = (): Promise<Performed> => effects.perform(this.#held, effect, this.#signal);
    const performed = await (this.state.facts.trace === undefined
      ? perform()
      : inSpan(`coordinator ${effect.type}`, {}, perform));
    switch (performed.then) {
      case "go-on":
        if (effect.type === "persist") this.#noteWritten();
        return true;
      case "hear":
        events.push(performed.event);
        return true;
      case "reload":
        this.#mailbox.unshift({ mail: "load", chargeMs: 0 });
        return false;
      case "retry": {
        if (this.#signal.aborted) return false;
        const { error } = performed;
        parts.log.warn("commit.retry", { model: this.model, proposal: this.id, effect: effect.type, error });
        const pauses = { minMs: parts.limits.backoffMinMs, maxMs: parts.limits.backoffMaxMs };
        this.#failures += 1;
        this.#remindAtMs = parts.clock.monotonicMs() + pauseMs(pauses, this.#failures, parts.ids);
        return true;
      }
    }
  }

  #noteWritten(): void {
    this.#held.written = this.state;
    this.#dirtySinceMs = undefined;
  }

  /** What of the present phase is left, live. */
  shownRemaining(): Proposal {
    const { state } = this;
    if (!("deadline" in state)) return state;
    const passed = elapsedMs(
      this.#context.parts.limits,
      this.#tickedAtMs,
      this.#context.parts.clock.monotonicMs(),
    );
    return { ...state, deadline: { remainingMs: Math.max(0, state.deadline.remainingMs - passed) } };
  }
}

function remainingMs(state: Proposal): number | undefined {
  if ("deadline" in state) return state.deadline.remainingMs;
  const armed = state.phase === "marked" && state.confirmation?.state === "armed";
  return armed ? state.confirmation.remainingMs : undefined;
}

/** Phases whose votes people watch; in the others the next write is on its way. */
function isShown(state: Proposal): boolean {
  return ["proposed", "accepted", "marked", "aborted"].includes(state.phase);
}
