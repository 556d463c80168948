/**
 * After the marker (0100): a loop for each model looks at the ledger and the crossings (R7). The alias `live`, for people
 * and outside callers, follows the newest version whose epoch every lane has crossed; concurrency is lowered to what
 * that version says, once it is the newest.
 *
 * G1. Level-triggered: nothing is remembered that a restart would miss.
 * G2. What is not tagged as ours is not touched.
 * G3. What an open candidate has raised is not lowered: its marker is still to come.
 */
import type { QueryContent } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import {
  BindingMissingError,
  createBindingReader,
  followLedger,
  listCrossings,
  type LaneCrossing,
  type LedgerFollower,
  type ProgressSources,
} from "@greco/lane-kit";
import type { BindingStore, LaneStore, Wake } from "@greco/ports";
import { applyVersion, raiseReserved, type Applied } from "./apply-version.ts";
import { functionName, parseQualifiedArn } from "./function-name.ts";
import type { Workshop } from "./make-function.ts";
import { jitteredMs } from "./rate.ts";

export type GoLiveDependencies = {
  readonly workshop: Workshop;
  readonly prefix: string;
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
};

/** Functions whose concurrency an open candidate has raised (G3). */
export interface Raised {
  has(name: string): boolean;
}

export interface GoLive extends AsyncDisposable {
  /** Looks at this function again, whatever was seen of it. */
  recheck(name: string): void;
  /** Every lane has crossed into its newest version, and AWS has been told. */
  isSettled(model: ModelId, entity: EntityIdentity): boolean;
  /** Functions that wait for lanes, or for AWS, by model. */
  waiting(): ReadonlyMap<ModelId, number>;
}

/** Until it is disposed, or the signal aborts. */
export function startGoLive(dependencies: GoLiveDependencies, raised: Raised, signal: AbortSignal): GoLive {
  const { workshop, laneStore } = dependencies;
  const { clock, ids, limits, log } = workshop;
  const ending = new AbortController();
  const over = AbortSignal.any([signal, ending.signal]);
  const models = new Map<ModelId, ModelGoLive>();
  const tasks: Promise<void>[] = [];

  const forever = async (what: string, pauseMs: number, turn: () => Promise<void>): Promise<void> => {
    while (!over.aborted)
      try {
        await turn();
        await clock.sleep(pauseMs * (0.5 + ids.random()), over);
      } catch (error) {
        if (over.aborted) return;
        log.warn("lambda.go-live-tries-again", { what, error });
        await clock.sleep(pauseMs, over).catch(() => undefined);
      }
  };
  const follow = (model: ModelId): void => {
    const each = new ModelGoLive(dependencies, raised, model);
    models.set(model, each);
    tasks.push(
      forever(model, limits.goLiveMs, async () => {
        const options = { laneStore, wake: dependencies.wake, clock, log, model };
        await using ledger = await followLedger(options, over);
        await each.follow(ledger, over);
      }),
    );
  };
  tasks.push(
    forever("models", limits.modelsMs, async () => {
      for (const model of await laneStore.listModels(over)) if (!models.has(model)) follow(model);
    }),
  );
  return {
    recheck(name) {
      for (const each of models.values()) each.recheck(name);
    },
    isSettled: (model, entity) => models.get(model)?.isSettled(entity) ?? false,
    waiting: () => new Map([...models].map(([model, each]) => [model, each.waiting])),
    async [Symbol.asyncDispose]() {
      ending.abort(new Error("the conductor stops"));
      while (tasks.length > 0) await tasks.pop();
    },
  };
}

type Known = {
  /** The change whose version AWS has been told of. */
  readonly applied: Epoch | undefined;
  /** The newest change, once it was seen that concurrency is not below what it says. */
  readonly raisedFor: Epoch | undefined;
  /** G1: set, the newest change was crossed and applied. */
  readonly settled: Epoch | undefined;
  readonly refusals: number;
  readonly notBeforeMs: number;
};

const unknown: Known = {
  applied: undefined,
  raisedFor: undefined,
  settled: undefined,
  refusals: 0,
  notBeforeMs: 0,
};

/** Superseded versions whose environments are looked at: more are retired by then, or never had any. */
const FORMER_MAX = 4;

export class ModelGoLive {
  readonly #dependencies: GoLiveDependencies;
  readonly #raised: Raised;
  readonly #model: ModelId;
  readonly #known = new Map<EntityIdentity, Known>();
  waiting = 0;

  constructor(dependencies: GoLiveDependencies, raised: Raised, model: ModelId) {
    this.#dependencies = dependencies;
    this.#raised = raised;
    this.#model = model;
  }

  isSettled(entity: EntityIdentity): boolean {
    return this.#known.get(entity)?.settled !== undefined;
  }

  recheck(name: string): void {
    for (const entity of this.#known.keys())
      if (this.#nameOf(entity) === name) this.#known.set(entity, unknown);
  }

  #nameOf(entity: EntityIdentity): string {
    return functionName({ prefix: this.#dependencies.prefix, model: this.#model, entity });
  }

  /** Rejects when a store fails, or with the signal's reason. */
  async follow(ledger: LedgerFollower, signal: AbortSignal): Promise<never> {
    const { clock, ids, limits } = this.#dependencies.workshop;
    for (;;) {
      await this.turn(ledger, signal);
      await clock.sleep(limits.goLiveMs * (0.5 + ids.random()), signal);
    }
  }

  /** One look at every function of the model. */
  async turn(ledger: LedgerFollower, signal: AbortSignal): Promise<void> {
    const { bindingStore, laneStore, workshop } = this.#dependencies;
    const bindings = createBindingReader({ bindingStore, model: this.#model });
    const look = new Crossed({ laneStore, ledger, bindings });
    let waiting = 0;
    for (const entity of ledger.index.entitiesOf("query")) {
      const newest = ledger.index.changesOf(entity).at(-1);
      if (newest === undefined || ledger.index.bindingAt(newest, entity) === undefined) {
        this.#known.delete(entity);
        continue;
      }
      const known = this.#known.get(entity) ?? unknown;
      if (known.settled === newest) continue;
      if (workshop.clock.monotonicMs() >= known.notBeforeMs)
        this.#known.set(entity, await this.#settle(look, entity, newest, known, signal));
      if (this.#known.get(entity)?.settled !== newest) waiting += 1;
    }
    this.waiting = waiting;
  }

  async #settle(
    look: Crossed,
    entity: EntityIdentity,
    newest: Epoch,
    known: Known,
    signal: AbortSignal,
  ): Promise<Known> {
    const { clock, ids, limits, log } = this.#dependencies.workshop;
    const before: Known = { ...known, settled: undefined };
    try {
      // A restart between ready and the marker may have taken back what the candidate had raised (G1, G3).
      if (known.raisedFor !== newest) await this.#raise(look, entity, newest, signal);
      const crossed = await look.newestCrossed(entity, signal);
      if (crossed === undefined || crossed === known.applied) return { ...before, raisedFor: newest };
      const applied = await this.#apply(look, entity, { crossed, newest }, signal);
      const settled = applied === "done" && crossed === newest ? newest : undefined;
      return { ...unknown, applied: crossed, raisedFor: newest, settled };
    } catch (error) {
      signal.throwIfAborted();
      log.warn("lambda.go-live-tries-again", { function: this.#nameOf(entity), error });
      const { backoffMinMs: minMs, backoffMaxMs: maxMs } = limits;
      const pauseMs = jitteredMs({ minMs, maxMs }, known.refusals, ids);
      return { ...before, refusals: known.refusals + 1, notBeforeMs: clock.monotonicMs() + pauseMs };
    }
  }

  async #raise(look: Crossed, entity: EntityIdentity, newest: Epoch, signal: AbortSignal): Promise<void> {
    const { prefix, workshop } = this.#dependencies;
    const lambda = await look.lambdaAt(entity, newest, signal);
    const former = look.changesBefore(entity, newest).at(-1);
    const old = former === undefined ? undefined : await look.lambdaAt(entity, former, signal);
    if (lambda === undefined || lambda.reservedConcurrency === old?.reservedConcurrency) return;
    await raiseReserved(workshop, { prefix, model: this.#model, entity }, lambda, signal);
  }

  async #apply(
    look: Crossed,
    entity: EntityIdentity,
    { crossed, newest }: { readonly crossed: Epoch; readonly newest: Epoch },
    signal: AbortSignal,
  ): Promise<Applied> {
    const { prefix, workshop } = this.#dependencies;
    const name = this.#nameOf(entity);
    const lambda = await look.lambdaAt(entity, crossed, signal);
    const at = lambda === undefined ? undefined : parseQualifiedArn(lambda.qualifiedArn);
    // Another conductor's, or of a deployment with another prefix.
    if (lambda === undefined || at?.name !== name) return "done";
    const former: string[] = [];
    for (const each of look.changesBefore(entity, crossed).slice(-FORMER_MAX)) {
      const old = await look.lambdaAt(entity, each, signal);
      const version = old === undefined ? undefined : parseQualifiedArn(old.qualifiedArn)?.version;
      if (old?.provisionedConcurrency === undefined || version === undefined) continue;
      if (version !== at.version || lambda.provisionedConcurrency === undefined) former.push(version);
    }
    return applyVersion(
      workshop,
      { prefix, model: this.#model, entity },
      { lambda, version: at.version, former, lowers: crossed === newest && !this.#raised.has(name) },
      signal,
    );
  }
}

/** One look: what it learns of an epoch's crossings is kept for the look only. */
class Crossed {
  readonly #sources: ProgressSources;
  readonly #known = new Map<Epoch, Promise<readonly LaneCrossing[]>>();

  constructor(sources: ProgressSources) {
    this.#sources = sources;
  }

  /** Undefined: not every lane has crossed into any. */
  async newestCrossed(entity: EntityIdentity, signal: AbortSignal): Promise<Epoch | undefined> {
    for (const epoch of this.#sources.ledger.index.changesOf(entity).toReversed()) {
      let crossings = this.#known.get(epoch);
      if (crossings === undefined) {
        crossings = listCrossings(this.#sources, epoch, signal);
        this.#known.set(epoch, crossings);
      }
      const mine = (await crossings).filter(({ query }) => query === entity);
      if (mine.every(({ crossed }) => crossed)) return epoch;
    }
    return undefined;
  }

  changesBefore(entity: EntityIdentity, epoch: Epoch): readonly Epoch[] {
    return this.#sources.ledger.index.changesOf(entity).filter((each) => each < epoch);
  }

  /** Undefined: no function, or not to be had any more. */
  async lambdaAt(entity: EntityIdentity, epoch: Epoch, signal: AbortSignal): Promise<QueryContent["lambda"]> {
    const { ledger, bindings } = this.#sources;
    const binding = ledger.index.bindingAt(epoch, entity);
    if (binding === undefined) return undefined;
    try {
      return (JSON.parse(await bindings.content(binding, signal)) as QueryContent).lambda;
    } catch (error) {
      if (error instanceof BindingMissingError) return undefined;
      throw error;
    }
  }
}
