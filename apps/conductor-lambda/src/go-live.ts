/**
 * After the marker (0100): for as long as this process acts in a model, a loop looks at the ledger and the crossings (R7).
 * The alias `live`, for people and outside callers, follows the newest version whose epoch every lane has crossed;
 * concurrency is lowered to what that version says, once it is the newest. Of a function that no newest epoch names any
 * more nothing is kept warm or reserved; it goes with its retire.
 *
 * G1. Level-triggered: nothing is remembered that a restart would miss.
 * G2. What is not tagged as ours is not touched.
 * G3. What a proposal has intended is not lowered before its outcome is in the ledger: its marker may still come.
 * G4. Lowered in the function's turn (C3), with a look at G3 and at who acts in it: who prepares it meanwhile begins
 *     behind that.
 */
import type { Attendance } from "@greco/conductor-kit";
import type { LambdaContent, QueryContent } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import {
  BindingMissingError,
  createBindingReader,
  listCrossings,
  type LaneCrossing,
  type ProgressSources,
} from "@greco/lane-kit";
import type { BindingStore, LaneStore } from "@greco/ports";
import { applyVersion, letRest } from "./apply-version.ts";
import { functionName, functionObject, parseQualifiedArn, type Owner } from "./function-name.ts";
import type { Workshop } from "./make-function.ts";
import { jitteredMs } from "./rate.ts";
import { sideBySide, type Turns } from "./turns.ts";

export type GoLiveDependencies = {
  readonly workshop: Workshop;
  readonly prefix: string;
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly turns: Turns;
};

/** All models in which this process acts just now. */
export class GoLive {
  readonly #dependencies: GoLiveDependencies;
  readonly #models = new Map<ModelId, ModelGoLive>();

  constructor(dependencies: GoLiveDependencies) {
    this.#dependencies = dependencies;
  }

  /** Rejects with the signal's reason; what fails is done again. */
  async attend(attendance: Attendance, signal: AbortSignal): Promise<never> {
    const { model } = attendance;
    const mine = new ModelGoLive(this.#dependencies, attendance);
    this.#models.set(model, mine);
    try {
      return await mine.run(signal);
    } finally {
      this.#models.delete(model);
    }
  }

  /** Looks at its function again, whatever was seen of it. */
  touch(model: ModelId, entity: EntityIdentity): void {
    this.#models.get(model)?.touch(entity);
  }

  /** Every lane has crossed into its newest version, and AWS has been told. */
  isSettled(model: ModelId, entity: EntityIdentity): boolean {
    return this.#models.get(model)?.isSettled(entity) ?? false;
  }

  /** Functions that wait for lanes, for a proposal's outcome, or for AWS. */
  get waiting(): ReadonlyMap<ModelId, number> {
    return new Map([...this.#models].map(([model, each]) => [model, each.waiting]));
  }
}

type Known = {
  /** The change whose version the alias was set to. */
  readonly live: Epoch | undefined;
  /** The newest change, once it was crossed and AWS was told all of it. */
  readonly settled: Epoch | undefined;
  readonly refusals: number;
  readonly notBeforeMs: number;
};

const unknown: Known = { live: undefined, settled: undefined, refusals: 0, notBeforeMs: 0 };

export class ModelGoLive {
  readonly #dependencies: GoLiveDependencies;
  readonly #attendance: Attendance;
  readonly #known = new Map<EntityIdentity, Known>();
  readonly #touched = new Set<EntityIdentity>();
  waiting = 0;

  constructor(dependencies: GoLiveDependencies, attendance: Attendance) {
    this.#dependencies = dependencies;
    this.#attendance = attendance;
  }

  isSettled(entity: EntityIdentity): boolean {
    const newest = this.#attendance.ledger.index.changesOf(entity).at(-1);
    return newest !== undefined && this.#known.get(entity)?.settled === newest && !this.#touched.has(entity);
  }

  touch(entity: EntityIdentity): void {
    this.#touched.add(entity);
  }

  async run(signal: AbortSignal): Promise<never> {
    const { clock, ids, limits } = this.#dependencies.workshop;
    for (;;) {
      await clock.sleep(limits.goLiveMs * (0.5 + ids.random()), signal);
      await this.turn(signal);
    }
  }

  /** One look at every function of the model; what one of them waits for, others do not. */
  async turn(signal: AbortSignal): Promise<void> {
    const { bindingStore, laneStore, workshop } = this.#dependencies;
    const { ledger, model } = this.#attendance;
    const look = new Look({ laneStore, ledger, bindings: createBindingReader({ bindingStore, model }) });
    const due: Each[] = [];
    let waiting = 0;
    for (const entity of ledger.index.entitiesOf("query")) {
      const newest = ledger.index.changesOf(entity).at(-1);
      if (newest === undefined) continue;
      const seen = this.#known.get(entity) ?? unknown;
      const known = this.#touched.delete(entity) ? { ...seen, settled: undefined } : seen;
      if (known.settled === newest) continue;
      this.#known.set(entity, known);
      if (workshop.clock.monotonicMs() >= known.notBeforeMs) due.push({ entity, newest, known });
      else waiting += 1;
    }
    const work = async (each: Each, over: AbortSignal): Promise<void> => {
      const next = await this.#settled(look, each, over);
      this.#known.set(each.entity, next);
      if (next.settled !== each.newest) waiting += 1;
    };
    await sideBySide(due, workshop.limits.functionsAtOnce, work, signal);
    this.waiting = waiting;
  }

  #ownerOf(entity: EntityIdentity): Owner {
    return { prefix: this.#dependencies.prefix, model: this.#attendance.model, entity };
  }

  /** G3 */
  #isHeld(entity: EntityIdentity): boolean {
    return this.#attendance.isIntended(functionObject(functionName(this.#ownerOf(entity))));
  }

  async #settled(look: Look, each: Each, signal: AbortSignal): Promise<Known> {
    const { clock, ids, limits, log } = this.#dependencies.workshop;
    const { entity, newest, known } = each;
    try {
      const owner = this.#ownerOf(entity);
      const now = await look.functionAt(owner, newest, signal);
      // What it is cannot be told until it is repaired.
      if (now === "missing") return unknown;
      if (now === undefined) return await this.#rested(look, each, signal);
      if (known.live === newest && this.#isHeld(entity)) return known;
      const crossed = await look.newestCrossed(entity, signal);
      if (crossed === undefined) return unknown;
      const whole = crossed === newest && !this.#isHeld(entity);
      if (crossed === known.live && !whole) return { ...unknown, live: crossed };
      const lambda = crossed === newest ? now : await look.functionAt(owner, crossed, signal);
      // It runs elsewhere there, or what it is cannot be told.
      if (typeof lambda !== "object") return unknown;
      const isWhole = await this.#apply(owner, lambda, whole, signal);
      return { ...unknown, live: crossed, settled: isWhole ? newest : undefined };
    } catch (error) {
      signal.throwIfAborted();
      log.warn("lambda.go-live-tries-again", { function: functionName(this.#ownerOf(entity)), error });
      const { backoffMinMs: minMs, backoffMaxMs: maxMs } = limits;
      const pauseMs = jitteredMs({ minMs, maxMs }, known.refusals, ids);
      return { ...unknown, refusals: known.refusals + 1, notBeforeMs: clock.monotonicMs() + pauseMs };
    }
  }

  /** Whether all of it was told, and not the alias alone. */
  async #apply(owner: Owner, lambda: LambdaContent, whole: boolean, signal: AbortSignal): Promise<boolean> {
    const { turns, workshop } = this.#dependencies;
    if (!whole) {
      await applyVersion(workshop, owner, { lambda, setsConcurrency: false }, signal);
      return false;
    }
    return turns.take(functionName(owner), async () => {
      const setsConcurrency = await this.#mayLower(owner.entity, signal);
      await applyVersion(workshop, owner, { lambda, setsConcurrency }, signal);
      return setsConcurrency;
    });
  }

  /** G4 */
  async #mayLower(entity: EntityIdentity, signal: AbortSignal): Promise<boolean> {
    return (await this.#attendance.acts(signal)) && !this.#isHeld(entity);
  }

  /** The query was deleted, or runs elsewhere. */
  async #rested(look: Look, { entity, newest }: Each, signal: AbortSignal): Promise<Known> {
    const { turns, workshop } = this.#dependencies;
    const owner = this.#ownerOf(entity);
    const settled: Known = { ...unknown, settled: newest };
    const last = await look.functionBefore(owner, newest, signal);
    if (last === undefined) return settled;
    if (last === "missing" || this.#isHeld(entity) || !(await look.hasCrossed(entity, newest, signal)))
      return unknown;
    return turns.take(functionName(owner), async () => {
      if (!(await this.#mayLower(entity, signal))) return unknown;
      await letRest(workshop, owner, last, signal);
      return settled;
    });
  }
}

type Each = { readonly entity: EntityIdentity; readonly newest: Epoch; readonly known: Known };

/** Otherwise another conductor's, or of a deployment with another prefix. */
const isOf = (owner: Owner, lambda: LambdaContent | undefined): boolean =>
  lambda !== undefined && parseQualifiedArn(lambda.qualifiedArn)?.name === functionName(owner);

/** What it learns of an epoch's crossings is kept for the look only. */
class Look {
  readonly #sources: ProgressSources;
  readonly #known = new Map<Epoch, Promise<readonly LaneCrossing[]>>();

  constructor(sources: ProgressSources) {
    this.#sources = sources;
  }

  /** Undefined: not every lane has crossed into any. */
  async newestCrossed(entity: EntityIdentity, signal: AbortSignal): Promise<Epoch | undefined> {
    for (const epoch of this.#sources.ledger.index.changesOf(entity).toReversed())
      if (await this.hasCrossed(entity, epoch, signal)) return epoch;
    return undefined;
  }

  /** Whether every lane has. */
  async hasCrossed(entity: EntityIdentity, epoch: Epoch, signal: AbortSignal): Promise<boolean> {
    let crossings = this.#known.get(epoch);
    if (crossings === undefined) {
      crossings = listCrossings(this.#sources, epoch, signal);
      this.#known.set(epoch, crossings);
    }
    return (await crossings).every(({ query, crossed }) => query !== entity || crossed);
  }

  /** Undefined: there is no query, or it runs elsewhere. */
  async functionAt(
    owner: Owner,
    epoch: Epoch,
    signal: AbortSignal,
  ): Promise<LambdaContent | "missing" | undefined> {
    const { ledger, bindings } = this.#sources;
    const binding = ledger.index.bindingAt(epoch, owner.entity);
    if (binding === undefined) return undefined;
    try {
      const { lambda } = JSON.parse(await bindings.content(binding, signal)) as QueryContent;
      return isOf(owner, lambda) ? lambda : undefined;
    } catch (error) {
      if (error instanceof BindingMissingError) return "missing";
      throw error;
    }
  }

  /** As the last epoch before it that names the function; undefined: none does whose binding is not retired. */
  async functionBefore(
    owner: Owner,
    before: Epoch,
    signal: AbortSignal,
  ): Promise<LambdaContent | "missing" | undefined> {
    const { laneStore, ledger } = this.#sources;
    let until = before;
    let floor: Epoch | undefined;
    for (const epoch of ledger.index.changesOf(owner.entity).toReversed()) {
      if (epoch >= before) continue;
      const found = await this.functionAt(owner, epoch, signal);
      if (found === "missing") {
        // I13: retired only if the floor has passed what replaced it; otherwise it is lost. An older one may be kept yet.
        floor ??= await laneStore.readFloor(ledger.model, signal);
        if (until > floor) return "missing";
      } else if (found !== undefined) return found;
      until = epoch;
    }
    return undefined;
  }
}
