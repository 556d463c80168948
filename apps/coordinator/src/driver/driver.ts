/**
 * What the driving replica does: finds every open proposal, by a scan and then by watching from the scan's
 * revision on, and runs it (I11); keeps up with conductors, models and answers that other replicas took.
 */
import { keys } from "@greco/control-kit";
import type { AnswerCommandRequest } from "@greco/contracts/greco/conductor/v1/conductor";
import { modelId } from "@greco/domain/model";
import { CompactedError, type WatchBatch } from "@greco/ports";
import { withoutTrace } from "@greco/telemetry";
import { toBytes } from "../json.ts";
import type { Parts } from "../parts.ts";
import { answerOf } from "../store/answer-store.ts";
import { partsOf, type ProposalStore, type StoredProposal } from "../store/proposal-store.ts";
import { Announcer } from "./announcer.ts";
import { isQuestion } from "../asking/questions.ts";
import { Candidates } from "./candidates.ts";
import { Effects } from "./effects.ts";
import { Ledger } from "./ledger.ts";
import { ModelDriver } from "./model-driver.ts";
import { Roster } from "./roster.ts";
import type { Runner } from "./runner.ts";

export class Driver {
  readonly #parts: Parts;
  readonly #proposals: ProposalStore;
  readonly announcer: Announcer;
  readonly candidates: Candidates;
  readonly roster: Roster;
  readonly #ledger: Ledger;
  readonly #effects: Effects;
  readonly #takeAnswer: (request: AnswerCommandRequest, signal: AbortSignal) => Promise<void>;
  /** Empty unless this replica drives. */
  #models = new Map<string, ModelDriver>();
  #scope: AbortSignal | undefined;

  constructor(
    parts: Parts,
    proposals: ProposalStore,
    takeAnswer: (request: AnswerCommandRequest, signal: AbortSignal) => Promise<void>,
  ) {
    this.#parts = parts;
    this.#proposals = proposals;
    this.candidates = new Candidates(parts);
    this.roster = new Roster(parts.store);
    this.announcer = new Announcer(parts, this.candidates);
    this.#ledger = new Ledger(parts, proposals);
    this.#effects = new Effects(parts, proposals, this.announcer, this.#ledger);
    this.#takeAnswer = takeAnswer;
  }

  get driving(): boolean {
    return this.#scope !== undefined && !this.#scope.aborted;
  }

  /** Of all open proposals; none unless this replica drives. */
  runners(): readonly Runner[] {
    return [...this.#models.values()].flatMap((model) => [...model.runners]);
  }

  runner(model: string, proposal: string): Runner | undefined {
    return this.#models.get(model)?.runner(proposal);
  }

  position(model: string, proposal: string): number {
    return this.#models.get(model)?.position(proposal) ?? 0;
  }

  /** A proposal that was just made or changed here; without it, the watch would tell a moment later. */
  noticed(stored: StoredProposal): void {
    if (!this.driving || stored.proposal.phase === "settled") {
      this.runner(stored.model, stored.id)?.moved(stored.revision);
      return;
    }
    this.#model(stored.model).adopt(stored, 0);
  }

  async conductorsChanged(model: string): Promise<void> {
    this.roster.forget(model);
    if (this.driving) await this.#model(model).conductorsChanged();
  }

  async drive(signal: AbortSignal): Promise<void> {
    const { limits } = this.#parts;
    const ending = new AbortController();
    const scope = AbortSignal.any([signal, ending.signal]);
    this.#models = new Map();
    try {
      const { open, revision } = await this.#proposals.open(scope);
      this.#scope = scope;
      for (const stored of open) this.#model(stored.model).adopt(stored, limits.intervalMs);
      await Promise.race([
        this.#watch(keys.allProposals(), revision, (batch) => this.#proposalsMoved(batch, scope), scope),
        this.#watch(keys.allConductors(), revision, (batch) => this.#conductorsMoved(batch), scope),
        this.#watch(keys.models(), revision, (batch) => this.#modelsMoved(batch, scope), scope),
        this.#watch(keys.answers(), revision, (batch) => this.#answersLeft(batch, scope), scope),
        this.#lookAtConductors(scope),
        this.#announceModels(scope),
        this.#pulse(scope),
      ]);
    } finally {
      ending.abort(new Error("this replica does not drive any more"));
      this.#scope = undefined;
      this.roster.forget();
      await Promise.allSettled([...this.#models.values()].map((model) => model.end()));
      this.#models = new Map();
    }
  }

  #model(model: string): ModelDriver {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    const context = {
      parts: this.#parts,
      proposals: this.#proposals,
      candidates: this.candidates,
      ledger: this.#ledger,
      effects: this.#effects,
      announcer: this.announcer,
    };
    const scope = this.#scope ?? AbortSignal.abort();
    const driver = withoutTrace(() => new ModelDriver(model, context, scope));
    this.#models.set(model, driver);
    return driver;
  }

  /** Ends when history is gone: then the drive begins anew, with a scan. */
  async #watch(
    prefix: string,
    revision: number,
    take: (batch: WatchBatch) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for await (const batch of this.#parts.store.watch({ prefix }, revision, signal)) await take(batch);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CompactedError)) throw error;
      this.#parts.log.warn("coordinator.watch.compacted", { prefix, error });
    }
  }

  async #proposalsMoved({ events }: WatchBatch, signal: AbortSignal): Promise<void> {
    for (const event of events) {
      if (event.type === "delete") continue;
      const { model, id } = partsOf(event.entry.key);
      const runner = this.runner(model, id);
      if (runner !== undefined) runner.moved(event.entry.modRevision);
      else {
        const stored = await this.#proposals.decode(event.entry, signal);
        if (stored.proposal.phase !== "settled") this.#model(model).adopt(stored, 0);
      }
    }
  }

  async #conductorsMoved({ events }: WatchBatch): Promise<void> {
    const keyOf = (event: WatchBatch["events"][number]): string =>
      event.type === "put" ? event.entry.key : event.key;
    const models = new Set(events.map((event) => partsOf(keyOf(event)).model));
    for (const model of models) await this.conductorsChanged(model);
  }

  async #modelsMoved({ events }: WatchBatch, signal: AbortSignal): Promise<void> {
    for (const event of events)
      if (event.type === "put" && event.entry.version === 1)
        await this.#announceModel(event.entry.key.split("/")[1] ?? "", signal);
  }

  async #answersLeft({ events }: WatchBatch, signal: AbortSignal): Promise<void> {
    for (const event of events) {
      // One to a question is for the replica that has asked it.
      if (event.type === "delete" || isQuestion(partsOf(event.entry.key).id)) continue;
      try {
        const request = await answerOf(this.#parts.store, event.entry, signal);
        if (request !== undefined) await this.#takeAnswer(request, signal);
      } catch (error) {
        if (signal.aborted) return;
        // Whatever it is, it must not end the drive; a voter that is not heard is asked again.
        this.#parts.log.warn("coordinator.answer.not-taken", { key: event.entry.key, error });
      }
    }
  }

  /** Conductors that wait to join since before this replica drove. */
  async #lookAtConductors(signal: AbortSignal): Promise<never> {
    const models = new Set<string>();
    const { entries } = await this.#parts.store.range(
      { prefix: keys.allConductors() },
      { keysOnly: true },
      signal,
    );
    for (const { key } of entries) models.add(partsOf(key).model);
    for (const model of models) await this.#model(model).conductorsChanged();
    return await untilAborted(signal);
  }

  async #announceModels(signal: AbortSignal): Promise<void> {
    const { store, clock, limits, log } = this.#parts;
    for (;;) {
      try {
        const { entries } = await store.range({ prefix: keys.models() }, { keysOnly: true }, signal);
        for (const { key } of entries) await this.#announceModel(key.split("/")[1] ?? "", signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn("coordinator.models.not-announced", { error });
      }
      await clock.sleep(limits.announceModelsMs, signal);
    }
  }

  async #announceModel(model: string, signal: AbortSignal): Promise<void> {
    const { controlLog, ids, log } = this.#parts;
    try {
      await controlLog.publish("_models", `${modelId(model)}.${ids.next()}`, toBytes({ model }), signal);
    } catch (error) {
      if (!signal.aborted) log.warn("coordinator.model.not-announced", { model, error });
    }
  }

  async #pulse(signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#parts;
    for (;;) {
      await clock.sleep(limits.pulseMs, signal);
      for (const model of this.#models.values()) model.pulse(clock.monotonicMs());
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
