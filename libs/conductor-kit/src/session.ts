/**
 * One conductor in one model, for one incarnation: steps the machine, makes its entries durable, then does
 * what follows. It ends when the signal aborts, when the lease is lost, or when the journal cannot be
 * written; whoever started it begins the next one from the journal.
 *
 * - I1: `#step` appends before it performs.
 * - K1: `#prepare` has the intent durable before the author is called.
 * - K3: a prepare is awaited, also an aborted one, before its end is told to the machine.
 * - K4: prepare and undo hold the locks of what they touch; so does retire.
 */
import { epoch, type CandidateId } from "@greco/domain/model";
import type { Review } from "@greco/contracts/greco/conductor/v1/conductor";
import type { LedgerFollower } from "@greco/lane-kit";
import type { ConductorLease } from "@greco/ports";
import { inSpan } from "@greco/telemetry";
import { type AnswerDoor, Answers } from "./answers.ts";
import { Candidates, readSnapshot } from "./candidates.ts";
import { Chain } from "./chain.ts";
import { backoffOf, type SessionContext } from "./context.ts";
import {
  pinnedBy,
  type CandidateState,
  type JournalEntry,
  type JournalState,
  type StoredRef,
} from "./journal.ts";
import type { JournalFile } from "./journal-file.ts";
import { KeyedLocks } from "./locks.ts";
import {
  step,
  type MachineEffect,
  type MachineEvent,
  type MachineState,
  type Step,
  type Told,
} from "./machine.ts";
import { claimedOf, failureOf, keepsOf, objectsOf, prepare, type Draft } from "./preparing.ts";
import { voteOn, type Vote } from "./reviewing.ts";
import type { Found } from "./inspecting.ts";
import { Inspections } from "./inspections.ts";
import { Repairs } from "./repairs.ts";
import type { Superseded } from "./superseded.ts";
import { TaskGroup } from "./tasks.ts";
import { outside, release, undo, type Belongings } from "./undoing.ts";
import { toAnswer, toMs, toViewChanges } from "./wire.ts";

export type SessionParts = {
  readonly lease: ConductorLease;
  readonly journal: JournalFile;
  readonly ledger: LedgerFollower;
};

/** The prepare was ended from outside: its time is over, or the proposal is decided. */
class PrepareEndedError extends Error {
  override name = "PrepareEndedError";
}

export class Session {
  readonly context: SessionContext;
  readonly ledger: LedgerFollower;
  readonly locks = new KeyedLocks();
  readonly chain: Chain;
  readonly lease: ConductorLease;
  readonly repairs = new Repairs();
  readonly inspections = new Inspections();
  /** A binding is there again that retire may have taken for gone. */
  repaired = false;
  /** Bindings whose retire the outside has refused, the last time. */
  readonly lagging = new Set<string>();
  /** Of older epochs, and still there: lanes and replays may need them. Told by the retirer. */
  superseded: () => readonly Superseded[] = () => [];
  /** Does this conductor wait for its first promote? Set by the registration. */
  joining: Promise<boolean> = Promise.resolve(false);
  readonly #journal: JournalFile;
  readonly #ending = new AbortController();
  readonly #tasks = new TaskGroup((error) => this.#ending.abort(error));
  readonly #candidates: Candidates;
  readonly #answers: Answers;
  readonly #startedAtMs: number;
  readonly #preparing = new Map<CandidateId, AbortController>();
  /** Plans under review. */
  readonly #planning = new Set<string>();
  /** Where in the control log the commands stand that are being worked on: a restart hears them again. */
  readonly #openAt = new Map<CandidateId, number>();
  #heardUpTo: number;
  #state: MachineState;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: SessionContext, { lease, journal, ledger }: SessionParts) {
    const { coordinator, clock, limits, log } = context;
    const { signal } = this.#ending;
    this.context = context;
    this.ledger = ledger;
    this.lease = lease;
    this.#journal = journal;
    this.#heardUpTo = journal.position;
    this.#startedAtMs = clock.monotonicMs();
    this.#state = { incarnation: lease.incarnation, journal: journal.state, busy: new Map() };
    this.#candidates = new Candidates(context);
    // Who is not registered is refused: a restart has answers to give before it is heard.
    const door: AnswerDoor = {
      answerCommand: async (request, options) => {
        await this.joining;
        return await coordinator.answerCommand(request, options);
      },
    };
    this.#answers = new Answers(door, backoffOf(context), { tasks: this.#tasks, log, signal });
    this.chain = new Chain({
      snapshot: (at, over) => readSnapshot(context, at, over),
      aheadMax: limits.chainAheadMax,
      signal,
    });
  }

  get journal(): JournalState {
    return this.#state.journal;
  }

  /** Aborts when the session ends. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Rejects with why it ended, once nothing of it runs any more; never resolves. */
  async run(signal: AbortSignal): Promise<never> {
    const ending = this.#ending.signal;
    const end = (): void => this.#ending.abort(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    this.begin(() => this.dispatch({ type: "started" }));
    await new Promise<void>((resolve) => {
      if (ending.aborted) resolve();
      ending.addEventListener("abort", () => resolve(), { once: true });
    });
    signal.removeEventListener("abort", end);
    await this.#tasks.idle();
    throw ending.reason;
  }

  /** Work that ends with the session; its failure ends the session. */
  begin(work: (signal: AbortSignal) => Promise<unknown>): void {
    this.#tasks.start(async () => {
      await work(this.#ending.signal);
    });
  }

  /** A command was heard at `position` of the control log. */
  heard(event: MachineEvent & Told, position: number): void {
    this.heardUpTo(position);
    if (!this.#openAt.has(event.candidate)) this.#openAt.set(event.candidate, position);
    this.begin(() => this.dispatch(event));
  }

  heardUpTo(position: number): void {
    this.#heardUpTo = Math.max(this.#heardUpTo, position);
  }

  /** A plan: answered like a review, but nothing is journaled (§3). */
  plan(commandId: string, request: Review): void {
    // Who has not answered yet is asked again.
    if (this.#planning.has(commandId)) return;
    this.#planning.add(commandId);
    this.begin(async () => {
      const vote = await this.#vote(request, undefined).finally(() => this.#planning.delete(commandId));
      if (vote.vote === "none") return;
      const body = vote.vote === "accept" ? { type: "accept" as const, accept: vote.accept } : vetoed(vote);
      const { id = "", digest = "" } = request.candidate ?? {};
      this.#answers.send(commandId, toAnswer(this.#answerer, { commandId, candidate: id, digest }, body));
    });
  }

  /** What was found outside: no promise, so it is sent as it is. */
  tell(commandId: string, found: Found): void {
    const { limits } = this.context;
    const body = { type: "inspected" as const, found, limits };
    this.#answers.send(commandId, toAnswer(this.#answerer, { commandId, candidate: "", digest: "" }, body));
  }

  /** Events are taken one at a time. Resolves when what the step promises is durable. */
  dispatch(event: MachineEvent): Promise<Step> {
    const turn = this.#turn.then(() => this.#step(event));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #step(event: MachineEvent): Promise<Step> {
    const { signal } = this.#ending;
    signal.throwIfAborted();
    const taken = step(this.#state, event);
    const points = taken.entries[0] === undefined ? undefined : POINTS[taken.entries[0].type];
    if (points?.before !== undefined) await this.#failpoint(points.before);
    // I1: durable before it counts, and before anything follows from it.
    if (taken.entries.length > 0) await this.#journal.append(taken.entries, this.#safePosition(), signal);
    this.#state = taken.state;
    if (points !== undefined) await this.#failpoint(points.after);
    for (const candidate of this.#openAt.keys())
      if (!this.#state.busy.has(candidate)) this.#openAt.delete(candidate);
    for (const effect of taken.effects) this.#perform(effect);
    return taken;
  }

  /** A failure here is a crash, not the failure of what stands around it. */
  async #failpoint(name: string): Promise<void> {
    try {
      await this.context.failpoint(name);
    } catch (error) {
      this.#ending.abort(error);
      throw error;
    }
  }

  /** Everything up to it was heard, and is done or promised in the journal. */
  #safePosition(): number {
    return Math.min(this.#heardUpTo, ...[...this.#openAt.values()].map((position) => position - 1));
  }

  get #answerer(): Parameters<typeof toAnswer>[0] {
    const { id, model } = this.context;
    return { conductor: id, model, incarnation: this.lease.incarnation };
  }

  #traced(what: string, work: () => Promise<void>): void {
    const { conductor, model } = this.context;
    this.begin(() => inSpan(`conductor ${what}`, { conductor: conductor.name, model }, work, "consumer"));
  }

  #perform(effect: MachineEffect): void {
    switch (effect.type) {
      case "answer":
        return this.#answers.send(effect.told.commandId, toAnswer(this.#answerer, effect.told, effect.body));
      case "review":
        return this.#traced("review", () => this.#review(effect.told, effect.request));
      case "prepare":
        return this.#traced("prepare", () => this.#prepare(effect.told, effect.remainingMs));
      case "abortPrepare":
        return this.#preparing
          .get(effect.candidate)
          ?.abort(new PrepareEndedError("its time is over, or the proposal is decided"));
      case "release":
        return this.#traced("release", () => this.#release(effect));
      case "undo":
        return this.#traced("undo", () => this.#undo(effect.told));
      case "ignore":
        return this.context.log.debug("conductor.ignored", { candidate: effect.candidate, why: effect.why });
    }
  }

  async #review(told: Told, request: Review): Promise<void> {
    const vote = await this.#vote(request, told.candidate);
    const { model, seen } = this.context;
    if (vote.vote === "accept" && !vote.accept.ready)
      this.#candidates.put(told.candidate, {
        restoresVersion: Number(request.candidate?.restoresVersion ?? 0n),
        changes: toViewChanges(model, request.changes, seen),
      });
    const base = Number(request.candidate?.baseVersion ?? 0n);
    await this.dispatch({ type: "reviewed", ...told, base, vote });
  }

  async #vote(request: Review, candidate: CandidateId | undefined): Promise<Vote> {
    const { clock, limits, log } = this.context;
    const time = new AbortController();
    const over = AbortSignal.any([time.signal, this.#ending.signal]);
    const remainingMs = toMs(request.remaining) ?? limits.reviewMs;
    try {
      const alarm = clock
        .sleep(remainingMs, over)
        .then(() => time.abort(new Error("the review takes too long")));
      alarm.catch(() => undefined);
      const joining = await this.joining;
      const vote = await voteOn(this.context, this, request, { candidate, joining }, over);
      return vote ?? { vote: "none" };
    } catch (error) {
      this.#ending.signal.throwIfAborted();
      // No opinion is no vote: the announcement comes again, and an absent voter leads to abort (I11).
      log.warn("conductor.review-failed", { candidate, error });
      return { vote: "none" };
    } finally {
      time.abort();
    }
  }

  async #prepare(told: Told, remainingMs: number | undefined): Promise<void> {
    const { candidate } = told;
    const { clock, conductor, limits, log } = this.context;
    const running = new AbortController();
    this.#preparing.set(candidate, running);
    const signal = AbortSignal.any([running.signal, this.#ending.signal]);
    this.begin(async () => {
      const elapsed = await clock.sleep(remainingMs ?? limits.prepareMs, signal).then(
        () => true,
        () => false,
      );
      if (elapsed) await this.dispatch({ type: "deadline", candidate });
    });
    const claims = this.#belongings(candidate).claims;
    try {
      const bindings = await this.#prepared(candidate, signal);
      await this.#failpoint("conductor.prepare.after");
      this.#preparing.delete(candidate);
      await this.dispatch({ type: "prepareEnded", ...told, result: { ok: true, bindings } });
    } catch (error) {
      this.#ending.signal.throwIfAborted();
      log.warn("conductor.prepare-failed", { candidate, error });
      this.#preparing.delete(candidate);
      const findings = failureOf(error, claims, conductor.name);
      await this.dispatch({ type: "prepareEnded", ...told, result: { ok: false, findings } });
    } finally {
      running.abort(new PrepareEndedError("it has ended"));
    }
  }

  async #prepared(candidate: CandidateId, signal: AbortSignal): Promise<readonly StoredRef[]> {
    await this.#failpoint("conductor.prepare.before");
    const { claims } = this.#belongings(candidate);
    using held = new DisposableStack();
    held.use(await this.locks.acquire(claims, signal));
    const draft = await this.#draft(candidate, claims, signal);
    // K1 and K4: durable before the first create.
    await this.#intend(candidate, objectsOf(draft.claimed, candidate), draft.keeps);
    const intend = async (objects: readonly string[]): Promise<void> => {
      held.use(await this.locks.acquire(outside(objects), signal));
      await this.#intend(candidate, objects, []);
    };
    // K3: awaited to its end, also when the signal aborts; the author's requests end with it.
    return await prepare(this.context, draft, intend, { signal, ending: this.#ending.signal });
  }

  async #draft(
    candidate: CandidateId,
    claims: Belongings["claims"],
    signal: AbortSignal,
  ): Promise<Draft & { readonly keeps: readonly string[] }> {
    const known = this.journal.candidates.get(candidate);
    const base = known?.base ?? 0;
    const before = await this.chain.at(base, signal);
    if (before === undefined) throw new Error(`the head has moved on from version ${base}`);
    const { changes, restoresVersion } = await this.#candidates.get(candidate, signal);
    const after = before.with(changes);
    const claimed = claimedOf(claims, changes, { before, after });
    // What is in force at the base is read in the data plane, where the ledger says it.

    await this.ledger.waitFor(epoch(base), signal);
    const { index } = this.ledger;
    const wayBack = known !== undefined && "accept" in known && known.accept.wayBack;
    const wanted = [...(wayBack ? [base] : []), ...(restoresVersion > 0 ? [restoresVersion] : [])];
    return { candidate, base, claimed, before, after, index, keeps: keepsOf(index, claimed, wanted) };
  }

  async #intend(candidate: CandidateId, objects: readonly string[], keeps: readonly string[]): Promise<void> {
    const { entries } = await this.dispatch({ type: "intend", candidate, objects, keeps });
    if (entries.length === 0) throw new PrepareEndedError("the proposal is decided");
  }

  async #release(effect: Extract<MachineEffect, { readonly type: "release" }>): Promise<void> {
    const { told, version, armed } = effect;
    await release(this.context, this.#belongings(told.candidate), this.#ending.signal);
    this.joining = Promise.resolve(false);
    await this.dispatch({ type: "released", ...told, version, armed });
    this.#candidates.forget(told.candidate);
  }

  async #undo(told: Told): Promise<void> {
    await this.#failpoint("conductor.undo.before");
    const known = this.journal.candidates.get(told.candidate);
    const unended = known?.phase === "undoing" ? known.unended : [];
    // K3: a dead incarnation's request may still land; ours have ended.
    const dead = unended.some((incarnation) => incarnation < this.lease.incarnation);
    const quietUntilMs = dead ? this.#startedAtMs + this.context.limits.quietMs : 0;
    const belongings = this.#belongings(told.candidate);
    const isPinned = (object: string): boolean =>
      pinnedBy(this.journal, object).some((by) => by !== told.candidate);
    const undone = async (): Promise<void> => {
      await this.dispatch({ type: "undone", ...told });
    };
    await undo(this.context, this.locks, belongings, quietUntilMs, isPinned, undone, this.#ending.signal);
    this.#candidates.forget(told.candidate);
  }

  #belongings(candidate: CandidateId): Belongings {
    const known = this.journal.candidates.get(candidate);
    return {
      candidate,
      claims: claimsOf(known),
      objects: known !== undefined && "objects" in known ? known.objects : [],
    };
  }
}

function claimsOf(known: CandidateState | undefined): Belongings["claims"] {
  if (known === undefined) return [];
  if (known.phase === "undoing") return known.claims;
  return "accept" in known ? known.accept.claims : [];
}

const vetoed = (vote: Extract<Vote, { readonly vote: "veto" }>) =>
  ({ type: "veto", findings: vote.findings }) as const;

/** Failpoints around the durable write of an entry. */
const POINTS: Partial<Record<JournalEntry["type"], { readonly before?: string; readonly after: string }>> = {
  accepted: { before: "conductor.vote.before", after: "conductor.vote.after" },
  vetoed: { before: "conductor.vote.before", after: "conductor.vote.after" },
  intended: { after: "conductor.prepare.intent" },
  prepared: { before: "conductor.ready.before", after: "conductor.ready.after" },
  failed: { before: "conductor.ready.before", after: "conductor.ready.after" },
  released: { before: "conductor.settle.before", after: "conductor.settle.after" },
  undone: { after: "conductor.undo.after" },
};
