/** The proposals of one model on the driver: whose turn it is, reverts that end, conductors that want to join. */
import { encodeProposal, outcomeOf, owed, type Proposal } from "@greco/domain/commit";
import { auditOperation, keys } from "@greco/control-kit";
import type { ConductorId } from "@greco/domain/model";
import { pauseMs } from "../backoff.ts";
import { fromBytes } from "../json.ts";
import { conductorName, modelName } from "../names.ts";
import {
  listConductors,
  putRegistrations,
  readRegistrations,
  unchanged,
  without,
  type ConductorRecord,
} from "../store/conductor-store.ts";
import type { Operation } from "@greco/ports";
import type { StoredProposal } from "../store/proposal-store.ts";
import { readSlot } from "../store/slot.ts";
import type { Announcer } from "./announcer.ts";
import { Owed } from "./owed.ts";
import { Runner, type RunnerContext } from "./runner.ts";
import type { TurnMemory } from "./turn.ts";

type Context = Omit<RunnerContext, "changed" | "abandoned" | "memory">;
type Again = { attempts: number; notBeforeMs: number };

export class ModelDriver {
  readonly model: string;
  readonly #context: Context;
  readonly #signal: AbortSignal;
  readonly #runners = new Map<string, Runner>();
  readonly #memory: TurnMemory = { known: undefined };
  readonly #owed: Owed;
  readonly #joins = new Map<ConductorId, Again>();
  #joining: Promise<void> = Promise.resolve();
  #joinsWanted = false;

  constructor(model: string, context: Context & { readonly announcer: Announcer }, signal: AbortSignal) {
    this.model = model;
    this.#context = context;
    this.#signal = signal;
    const open = (): Iterable<Proposal> => [...this.#runners.values()].map((runner) => runner.state);
    this.#owed = new Owed(model, { ...context, open }, signal);
  }

  runner(id: string): Runner | undefined {
    return this.#runners.get(id);
  }

  get runners(): Iterable<Runner> {
    return this.#runners.values();
  }

  /** Runs it, unless that is done already. `chargeMs`: what its being taken over costs. */
  adopt(stored: StoredProposal, chargeMs: number): Runner {
    const running = this.#runners.get(stored.id);
    if (running !== undefined) {
      running.moved(stored.revision);
      return running;
    }
    const context: RunnerContext = {
      ...this.#context,
      changed: (runner) => this.#changed(runner),
      abandoned: (proposal) => this.#abandoned(proposal),
      memory: this.#memory,
    };
    const runner = new Runner(stored, chargeMs, context, this.#signal);
    this.#runners.set(stored.id, runner);
    this.#changed(runner);
    return runner;
  }

  /** In the queue: 1 is the next. */
  position(id: string): number {
    return this.#queued().findIndex((runner) => runner.id === id) + 1;
  }

  pulse(nowMs: number): void {
    for (const runner of this.#runners.values()) runner.pulse(nowMs);
    this.#owed.pulse(nowMs);
    if ([...this.#joins.values()].some((again) => nowMs >= again.notBeforeMs)) this.join();
  }

  /** A conductor may have gone, or come back. */
  async conductorsChanged(): Promise<void> {
    this.#memory.known = undefined;
    const all = await listConductors(this.#context.parts.store, this.model, this.#signal);
    for (const { conductor, deregistered } of all)
      if (deregistered !== undefined)
        for (const runner of this.#runners.values()) runner.push({ type: "deregistered", conductor });
    for (const { conductor } of all) {
      const again = this.#joins.get(conductor);
      if (again !== undefined) again.notBeforeMs = 0;
    }
    this.#owed.look();
    this.join();
  }

  async end(): Promise<void> {
    for (const runner of this.#runners.values()) runner.end();
    await Promise.allSettled([
      this.#joining,
      this.#owed.idle,
      ...[...this.#runners.values()].map((runner) => runner.done),
    ]);
  }

  #changed(runner: Runner): void {
    const { phase } = runner.state;
    if (phase === "settled") {
      this.#runners.delete(runner.id);
      this.#context.candidates.forget(this.model, runner.id);
      if (owed(runner.state).to.length > 0) this.#owed.look();
      runner.end();
    }
    this.#lookAtRevertOf(runner);
    this.#kick();
    const freed = phase === "settled" || phase === "aborted" || phase === "marked";
    if (freed && this.#joins.size > 0) this.join();
  }

  #queued(): Runner[] {
    return [...this.#runners.values()]
      .filter((runner) => runner.state.phase === "queued")
      .toSorted((a, b) => a.created - b.created);
  }

  /** The next, if nobody prepares; while a commit waits for its confirmation, its revert alone. */
  #kick(): void {
    const queued = this.#queued();
    if (queued.length === 0) return;
    const others = [...this.#runners.values()].map((runner) => runner.state);
    if (others.some(isPreparing)) return;
    const armed = others.find(isWaiting);
    const next =
      armed === undefined
        ? queued[0]
        : queued.find(
            ({ state: { facts } }) =>
              facts.origin.kind === "revert" && facts.origin.of === armed.facts.proposal,
          );
    next?.turn();
  }

  async #abandoned(proposal: string): Promise<boolean> {
    if (this.#runners.has(proposal)) return false;
    const stored = await this.#context.proposals.read(this.model, proposal, this.#signal);
    return stored === undefined || stored.proposal.phase === "settled";
  }

  /** Its outcome goes to the commit that it takes back. */
  #lookAtRevertOf({ state }: Runner): void {
    const { origin, proposal } = state.facts;
    const outcome = outcomeOf(state);
    if (origin.kind !== "revert" || outcome === undefined || state.phase === "committed") return;
    // Aborted: the commit's next reminder begins a next attempt.
    if (outcome.committed)
      this.#runners.get(origin.of)?.push({ type: "revert-ended", proposal, committed: true });
  }

  #laterMs(attempts: number): number {
    const { limits, ids, clock } = this.#context.parts;
    return (
      clock.monotonicMs() + pauseMs({ minMs: limits.againMinMs, maxMs: limits.againMaxMs }, attempts, ids)
    );
  }

  /** Makes the proposals by which conductors join; one at a time for the model, and again when something changes. */
  join(): void {
    if (this.#joinsWanted) return;
    this.#joinsWanted = true;
    this.#joining = this.#joining.then(async () => {
      this.#joinsWanted = false;
      try {
        await this.#joinAll();
      } catch (error) {
        if (this.#signal.aborted) return;
        const { log } = this.#context.parts;
        log.warn("commit.join.failed", { model: this.model, error });
        // Looked at again with the next change, or pulse.
        for (const again of this.#joins.values()) again.notBeforeMs = this.#laterMs(again.attempts);
      }
    });
  }

  async #joinAll(): Promise<void> {
    const { store, clock } = this.#context.parts;
    const [all, registrations] = await Promise.all([
      listConductors(store, this.model, this.#signal),
      readRegistrations(store, this.model, this.#signal),
    ]);
    const active = new Set(registrations.value.active.map((each) => each.conductor));
    const joining = all.filter((each) => each.deregistered === undefined && !active.has(each.conductor));
    for (const conductor of this.#joins.keys())
      if (!joining.some((each) => each.conductor === conductor)) this.#joins.delete(conductor);
    for (const record of joining) {
      const again = this.#joins.get(record.conductor) ?? { attempts: 0, notBeforeMs: 0 };
      this.#joins.set(record.conductor, again);
      if (this.#isJoining(record.conductor) || clock.monotonicMs() < again.notBeforeMs) continue;
      again.notBeforeMs = this.#laterMs(again.attempts);
      again.attempts += 1;
      if (!(await this.#admitAtOnce(record))) await this.#propose(record);
    }
  }

  #isJoining(conductor: ConductorId): boolean {
    return [...this.#runners.values()].some(({ state }) => {
      const { origin } = state.facts;
      return origin.kind === "join" && origin.conductor === conductor && outcomeOf(state) === undefined;
    });
  }

  /** Nothing is committed and nobody prepares: there is no head to review. */
  async #admitAtOnce(record: ConductorRecord): Promise<boolean> {
    const { conductor, kinds } = record;
    const { store, log } = this.#context.parts;
    const head = await store.range({ key: keys.head(this.model) }, { limit: 1 }, this.#signal);
    const entry = head.entries[0];
    const version = entry === undefined ? 0 : (fromBytes(entry.value) as { version: number }).version;
    if (version > 0) return false;
    const [slot, { value, revision }] = await Promise.all([
      readSlot(store, this.model, this.#signal),
      readRegistrations(store, this.model, this.#signal),
    ]);
    // Somebody prepares: what he comes to is looked at when he is through.
    if (slot.record !== undefined) return true;
    const others = without(value, conductor);
    const { succeeded } = await store.transact(
      {
        compare: [
          unchanged(keys.head(this.model), entry?.modRevision ?? 0),
          unchanged(keys.slot(this.model), slot.revision),
          unchanged(keys.registrations(this.model), revision),
        ],
        then: [
          putRegistrations(this.model, {
            active: [...others.active, { conductor, kinds, sinceVersion: 0 }],
            joining: others.joining,
          }),
          this.#admitted(record),
        ],
      },
      this.#signal,
    );
    if (succeeded) log.info("conductor.active", { model: this.model, conductor, sinceVersion: 0 });
    return succeeded;
  }

  /** Who votes is in the audit log, whoever made it so. */
  #admitted({ conductor, kinds, incarnation }: ConductorRecord): Operation {
    const { clock, ids } = this.#context.parts;
    return auditOperation(this.model, ids.next(), {
      timeMs: clock.nowMs(),
      actor: "coordinator",
      method: "greco.conductor.v1.ConductorService/RegisterConductor",
      resource: conductorName(conductor),
      reason: "nothing is committed yet: there is no head to review",
      outcome: "active",
      detail: { kinds, incarnation },
    });
  }

  async #propose({ conductor }: ConductorRecord): Promise<void> {
    const { registry, ids, clock, limits, log } = this.#context.parts;
    const proposal = ids.next();
    const facts = {
      model: this.model as Proposal["facts"]["model"],
      proposal,
      origin: { kind: "join", conductor },
      actor: "coordinator",
      reason: `${conductor} joins`,
      createdAtMs: clock.nowMs(),
      confirmWithinMs: undefined,
    } as const;
    log.info("commit.join", { model: this.model, conductor, proposal });
    await registry.freeze(
      {
        parent: modelName(this.model),
        source: { case: "join", value: true },
        actor: facts.actor,
        reason: facts.reason,
        proposalRecord: encodeProposal({ phase: "queued", facts, deadline: { remainingMs: limits.queueMs } })
          .record,
        proposalId: proposal,
      },
      { signal: this.#signal },
    );
    const stored = await this.#context.proposals.read(this.model, proposal, this.#signal);
    if (stored !== undefined) this.adopt(stored, 0);
  }
}

function isPreparing({ phase }: Proposal): boolean {
  return (
    phase === "proposed" ||
    phase === "accepted" ||
    phase === "ready" ||
    phase === "aborting" ||
    phase === "committed"
  );
}

function isWaiting(state: Proposal): boolean {
  if (state.phase !== "marked") return false;
  return state.confirmation?.state === "armed" || state.confirmation?.state === "reverting";
}
