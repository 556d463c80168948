/**
 * Retire is no phase: by itself, a conductor removes the bindings of older epochs that nothing needs any more.
 *
 * - R7: who has crossed is read from durable rows.
 * - R9: first it looks; then it raises the floor, so that no lane opens or renews unless current to it, waits
 *   twice the writers' lease, lists the lanes again, and removes only what that second look lets go.
 * - I13, K4: under the locks of the A, the pins are looked at once more; what an open candidate or an armed
 *   way back wants stays.
 */
import { parseEntityIdentity, type EntityKey, type Epoch } from "@greco/domain/model";
import { BindingMissingError, createBindingReader, type ProgressSources } from "@greco/lane-kit";
import { untilDone } from "./backoff.ts";
import { backoffOf } from "./context.ts";
import { Flows } from "./flows.ts";
import { bindingObject, pinnedBy } from "./journal.ts";
import { Look, Seen } from "./needs.ts";
import type { Session } from "./session.ts";
import { boundsOf, supersededBy, type Superseded } from "./superseded.ts";

/** Until the signal aborts. Trouble of a store is waited out; the next look begins from what is durable. */
export async function retire(session: Session, signal: AbortSignal): Promise<void> {
  const { clock, limits, log } = session.context;
  const retirement = new Retirer(session);
  session.superseded = () => retirement.superseded;
  await untilDone(
    backoffOf(session.context),
    signal,
    async () => {
      await retirement.begin(signal);
      for (;;) {
        await clock.sleep(limits.retireMs, signal);
        await retirement.turn(signal);
      }
    },
    (error) => {
      log.warn("conductor.retire-tries-again", { error });
      return "again";
    },
  );
}

export class Retirer {
  readonly #session: Session;
  readonly #sources: ProgressSources;
  /** By binding object: superseded, and still there. */
  #waiting = new Map<string, Superseded>();
  readonly #bounds = new Map<string, ReadonlyMap<EntityKey, Epoch>>();
  readonly #seen = new Seen();
  /** What it has begun to remove, outside first: something of it may be gone. */
  readonly #begun = new Set<string>();
  readonly #flows: Flows;
  #seenUpTo = 0 as Epoch;

  constructor(session: Session) {
    const { bindingStore, laneStore, model } = session.context;
    this.#session = session;
    this.#sources = {
      laneStore,
      ledger: session.ledger,
      bindings: createBindingReader({ bindingStore, model }),
    };
    this.#flows = new Flows(this.#sources);
  }

  /** By the ledger as it is now; without those that it has begun to remove. */
  get superseded(): readonly Superseded[] {
    this.#follow();
    return [...this.#waiting].filter(([object]) => !this.#begun.has(object)).map(([, each]) => each);
  }

  /** What a former process left: superseded in the ledger, and still in the store. */
  async begin(signal: AbortSignal): Promise<void> {
    const { bindingStore, model } = this.#session.context;
    this.#waiting = new Map();
    this.#seenUpTo = 0 as Epoch;
    this.#follow();
    const there = new Set<string>();
    // What comes while they are read is there.
    const known = [...this.#waiting];
    const candidates = new Set(known.map(([, each]) => each.candidate));
    for (const candidate of candidates)
      for (const { entity } of await bindingStore.listBindings(model, candidate, signal))
        there.add(bindingObject(entity, candidate));
    for (const [object] of known) if (!there.has(object)) this.#waiting.delete(object);
  }

  #follow(): void {
    const { ledger, context } = this.#session;
    for (const entry of ledger.entries(this.#seenUpTo)) {
      for (const each of supersededBy(ledger.index, entry, (kind) => context.kinds.has(kind)))
        this.#waiting.set(bindingObject(each.entity, each.candidate), each);
      this.#seenUpTo = entry.epoch;
    }
  }

  /** One look, and what follows from it. Returns how many bindings it removed. */
  async turn(signal: AbortSignal): Promise<number> {
    const { clock, laneStore, limits, model } = this.#session.context;
    if (this.#session.repaired) {
      this.#session.repaired = false;
      await this.begin(signal);
    }
    this.#follow();
    const candidates = await this.#unneeded([...this.#waiting], signal);
    if (candidates.length === 0) return 0;
    // R9: nobody opens or renews below it from now on …
    const floor = Math.max(...candidates.map(([, each]) => each.until)) as Epoch;
    await laneStore.raiseFloor(model, floor, signal);
    // … and who did so before is gone, or seen by the second look.
    await clock.sleep(2 * limits.writerLeaseMs, signal);
    const unneeded = await this.#unneeded(candidates, signal);
    let removed = 0;
    for (const [object, superseded] of unneeded)
      if (await this.#remove(object, superseded, signal)) removed += 1;
    return removed;
  }

  async #unneeded(
    all: readonly (readonly [string, Superseded])[],
    signal: AbortSignal,
  ): Promise<readonly (readonly [string, Superseded])[]> {
    const unpinned = all.filter(([object]) => {
      if (pinnedBy(this.#session.journal, object).length === 0) return true;
      // It is wanted again, also where its retire was refused.
      this.#session.lagging.delete(object);
      this.#begun.delete(object);
      return false;
    });
    if (unpinned.length === 0) return [];
    const look = await Look.take(this.#sources, this.#seen, signal);
    const unneeded: (readonly [string, Superseded])[] = [];
    for (const each of unpinned) if (!(await this.#isNeeded(look, ...each, signal))) unneeded.push(each);
    return unneeded;
  }

  async #isNeeded(look: Look, object: string, superseded: Superseded, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#session.context;
    let bounds = this.#bounds.get(object);
    try {
      bounds ??= await this.#boundsOf(superseded, signal);
    } catch (error) {
      if (!(error instanceof BindingMissingError)) throw error;
      // I13: what cannot be told is a need.
      log.debug("conductor.still-needed", { binding: object, why: error.message });
      return true;
    }
    if (bounds === undefined) {
      this.#waiting.delete(object);
      this.#session.lagging.delete(object);
      return true;
    }
    this.#bounds.set(object, bounds);
    for (const [stream, below] of bounds) {
      const why = await look.need(stream, superseded.from, below, signal);
      if (why === undefined) continue;
      log.debug("conductor.still-needed", { binding: object, why });
      return true;
    }
    return false;
  }

  /** Undefined: it is gone, or another conductor's. */
  async #boundsOf(
    superseded: Superseded,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<EntityKey, Epoch> | undefined> {
    const { bindingStore, conductor, model } = this.#session.context;
    const { entity, candidate } = superseded;
    const binding = await bindingStore.getBinding(model, entity, candidate, signal);
    if (binding === undefined || conductor.owns?.(binding.content) === false) return undefined;
    const { from, until } = superseded;
    const inputs = await conductor.inputsOf?.(binding, () => this.#flows.in(from, until, signal));
    return boundsOf(this.#sources.ledger.index, superseded, inputs);
  }

  /** I13: nothing pins it, and nobody can pin it meanwhile: who would has to take the same locks. */
  async #remove(object: string, { entity, candidate }: Superseded, signal: AbortSignal): Promise<boolean> {
    const { bindingStore, conductor, log, model } = this.#session.context;
    const uses = this.#session.journal.uses.get(object) ?? [];
    using _held = await this.#session.locks.acquire([parseEntityIdentity(entity).key, ...uses], signal);
    // K4: the delete looks at the pins again.
    if (pinnedBy(this.#session.journal, object).length > 0) return false;
    const free = uses.filter((use) => pinnedBy(this.#session.journal, use).every((by) => by === object));
    this.#begun.add(object);
    // Once a turn: what the outside refuses for long may hold up neither the next change of this A, nor other bindings.
    try {
      await conductor.retire({ model, entity, candidate, free }, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.error("conductor.lags", { what: "retire", binding: object, error });
      this.#session.lagging.add(object);
      return false;
    }
    this.#session.lagging.delete(object);
    // K4: before the row, by which a restart finds what is left to do; behind it the pins would stay for ever.
    if (uses.length > 0) await this.#session.dispatch({ type: "retired", bindings: [object] });
    await untilDone(
      backoffOf(this.#session.context),
      signal,
      () => bindingStore.deleteBinding(model, entity, candidate, signal),
      (error, attempt) => {
        log.warn("conductor.tries-again", { what: "retire", binding: object, attempt, error });
        return "again";
      },
    );
    this.#waiting.delete(object);
    this.#bounds.delete(object);
    this.#begun.delete(object);
    log.info("conductor.retired", { binding: object });
    return true;
  }
}
