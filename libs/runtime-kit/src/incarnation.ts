/**
 * One incarnation of a runtime: one writer, whose lease says that it is alive, and the units that it has claimed.
 *
 * Why one writer for all units, and not one each (docs/decisions/0060-runtimes.md): a lease is what a
 * sealer swaps, so what stands or falls with one process needs one lease, renewed a few times a lease whatever the
 * number of units. A unit is handed over by ending its own lanes; only a dead runtime's lanes are sealed, all at once.
 *
 * I8. A unit is claimed by compare-and-swap, and only when nobody's lease stands in the way: nobody had it, it was
 *     given up with its lanes ended, or the lanes of its writer are sealed. So no two incarnations append for one unit.
 *     Who loses the lease (a zombie) drops all it has; its rows and checkpoints are too late for the seal.
 */
import type { LaneId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { InvariantError } from "@greco/domain/model";
import type { LaneDirectory, LaneWriter } from "@greco/lane-kit";
import { Hint, isPassing, persist } from "@greco/lane-kit";
import type { Claim, LaneRecord } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import type { UnitView } from "./assignment.ts";
import { assign, ownerOf } from "./assignment.ts";
import { House, unitKey } from "./house.ts";
import type { LaneSpan } from "./lane-spans.ts";
import { LaneSpans } from "./lane-spans.ts";
import { Members } from "./membership.ts";
import type { UnitStatus } from "./unit.ts";
import { Unit } from "./unit.ts";
import type { UnitWorld } from "./unit-world.ts";
import { WriterWatch } from "./writer-watch.ts";

export type IncarnationOptions = {
  readonly world: UnitWorld;
  readonly directory: LaneDirectory;
  /** For people: `runtime-1`. */
  readonly name: string;
  /** Whether this runtime executes the query. */
  readonly serves: (query: EntityIdentity) => boolean;
};

/** `mineAtMs`: when it was taken, or last found to be this runtime's. */
type Held = { readonly unit: Unit; claim: Claim; mineAtMs: number; running: Promise<void> };

/** Heartbeats, and looks at others' leases, a lease. */
const BEATS_A_LEASE = 4;
/** Silence, in leases, after which a member is not counted on any more. */
const MEMBER_LEASES = 2;
/** Leases that a unit may lie free with its owner, before anybody takes it. */
const GRACE_LEASES = 4;
/** Two scans are at least this far apart, whatever wakes. */
const SCAN_GAP_MS = 20;

export class Incarnation {
  readonly #options: IncarnationOptions;
  readonly #world: UnitWorld;
  readonly #writer: LaneWriter;
  readonly #units = new Map<string, Held>();
  readonly #freeSince = new Map<string, number>();
  readonly #groups = new Map<LaneId, string | undefined>();
  readonly #members: Members;
  readonly #watch: WriterWatch;
  readonly #spans: LaneSpans;
  readonly #due = new Hint();
  readonly #fatal = Promise.withResolvers<never>();
  readonly #leaving = new AbortController();
  #stopping = false;

  constructor(options: IncarnationOptions) {
    this.#options = options;
    this.#world = options.world;
    const { writer, laneStore, model, leaseMs } = this.#world;
    this.#writer = writer;
    this.#members = new Members(writer.id, MEMBER_LEASES * leaseMs);
    const { failpoint, ...rest } = this.#world;
    const watch = failpoint === undefined ? rest : { ...rest, failpoint };
    this.#watch = new WriterWatch(watch, () => this.#due.give());
    this.#spans = new LaneSpans(laneStore, model);
    this.#fatal.promise.catch(() => undefined);
  }

  get units(): readonly UnitStatus[] {
    return [...this.#units.values()].map(({ unit }) => unit.status);
  }
  get members(): readonly string[] {
    return this.#members.live();
  }

  /** Until the writer is lost, it was drained, or the signal aborts. Rejects for a programmer's error only. */
  async run(signal: AbortSignal): Promise<void> {
    const { ledger } = this.#world;
    const alive = AbortSignal.any([signal, this.#writer.lost, this.#leaving.signal]);
    const hint = (): void => this.#due.give();
    const forget = [this.#options.directory.onChange(hint), ledger.onGrow(hint)];
    try {
      await Promise.race([Promise.all([this.#beat(alive), this.#scans(alive)]), this.#fatal.promise]);
    } finally {
      this.#leaving.abort(new Error("the incarnation is over"));
      for (const each of forget) each();
    }
  }

  /** Resolves when nothing of it runs any more; after its writer was disposed. */
  async idle(): Promise<void> {
    await Promise.all([...this.#units.values()].map(({ running }) => running));
    await this.#watch.idle();
  }

  /** Finishes what is under way and gives every unit up; `drainMs` or the signal ends the wait. `run` then ends. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#stopping = true;
    for (const { unit } of this.#units.values()) unit.stop();
    const { clock, limits, laneStore, model } = this.#world;
    const enough = new AbortController();
    const bound = clock
      .sleep(limits.drainMs, AbortSignal.any([signal, enough.signal]))
      .catch(() => undefined);
    await Promise.race([Promise.all([...this.#units.values()].map(({ running }) => running)), bound]);
    enough.abort();
    await laneStore.leave(model, this.#writer.id, signal).catch(() => undefined);
    this.#leaving.abort(new Error("the runtime stops"));
  }

  // ---- membership

  async #beat(signal: AbortSignal): Promise<void> {
    const { laneStore, model, clock, leaseMs, log } = this.#world;
    while (!signal.aborted) {
      try {
        if (!this.#stopping) await laneStore.heartbeat(model, this.#writer.id, signal);
      } catch (error) {
        if (!signal.aborted) log.warn("runtime.heartbeat-failed", { model, error });
      }
      await clock.sleep(leaseMs / BEATS_A_LEASE, signal).catch(() => undefined);
    }
  }

  // ---- who works on what

  async #scans(signal: AbortSignal): Promise<void> {
    const { clock, limits, log, model } = this.#world;
    while (!signal.aborted) {
      try {
        await this.#scan(signal);
        await clock.sleep(SCAN_GAP_MS, signal);
        await this.#due.next(clock, limits.scanMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof InvariantError) throw error;
        if (!isPassing(error)) log.error("runtime.scan-failed", { model, error });
        await clock.sleep(limits.scanMs, signal).catch(() => undefined);
      }
    }
  }

  async #scan(signal: AbortSignal): Promise<void> {
    const { laneStore, model, catalog, ledger, clock, limits, leaseMs, pool } = this.#world;
    if (catalog.current < ledger.newest || catalog.unresolved.length > 0)
      await catalog.refresh(await laneStore.readFloor(model, signal));
    const members = await laneStore.listMembers(model, signal);
    // I9: a site's lanes are worked on at the site, so that it goes on while it is cut off from the others.
    this.#members.see(members.filter(isHere), clock.monotonicMs());
    const lanes = this.#options.directory.lanes();
    const claims = await laneStore.listClaims(model, signal);
    const spans = await this.#spansOf(lanes, signal);
    const formerGroups = await this.#formerGroupsOf(lanes, signal);
    const house = new House({ lanes, spans, ranges: catalog.ranges(), claims, formerGroups });
    const views = await this.#views(house, lanes.filter(isHere), signal);
    if (this.#stopping) return;
    const { take, giveUp, keep } = assign(views, {
      ...limits,
      me: this.#writer.id,
      live: this.#members.live(),
      graceMs: GRACE_LEASES * leaseMs,
    });
    for (const { query, lane } of keep) {
      const held = this.#units.get(unitKey(query, lane));
      if (held !== undefined) held.mineAtMs = clock.monotonicMs();
    }
    for (const { query, lane } of giveUp) this.#units.get(unitKey(query, lane))?.unit.stop();
    const byId = new Map(lanes.map((lane) => [lane.info.id, lane]));
    for (const view of take) {
      const input = byId.get(view.lane);
      if (input !== undefined) await this.#take(view, input, signal);
    }
    await this.#finishLanes(house, lanes.filter(isHere), signal);
    await this.#forgetMembers(signal);
    pool.sweep();
  }

  async #views(
    house: House,
    lanes: readonly LaneRecord[],
    signal: AbortSignal,
  ): Promise<readonly UnitView[]> {
    const nowMs = this.#world.clock.monotonicMs();
    const wanted = lanes.flatMap((lane) =>
      house
        .readersOf(lane)
        .filter((query) => !house.isDone(query, lane.info.id))
        .map((query) => ({ query, lane, claim: house.claimOf(query, lane.info.id) })),
    );
    const others = new Set(wanted.flatMap(({ claim }) => (this.#isOthers(claim) ? [claim.writer] : [])));
    await this.#watch.look(others, signal);
    const keys = new Set<string>();
    const views = wanted.map(({ query, lane, claim }): UnitView => {
      const key = unitKey(query, lane.info.id);
      keys.add(key);
      const held = this.#units.get(key);
      const free = held === undefined && (!this.#isOthers(claim) || this.#watch.isSealed(claim.writer));
      if (!free) this.#freeSince.delete(key);
      else if (!this.#freeSince.has(key)) this.#freeSince.set(key, nowMs);
      return {
        query,
        lane: lane.info.id,
        claim,
        free,
        freeMs: nowMs - (this.#freeSince.get(key) ?? nowMs),
        ready: house.isReady(query, lane),
        // Whose share a unit is does not depend on what one member executes: all count the same units.
        served: this.#options.serves(query),
        heldMs: held === undefined ? undefined : nowMs - held.mineAtMs,
      };
    });
    for (const key of this.#freeSince.keys()) if (!keys.has(key)) this.#freeSince.delete(key);
    return views;
  }

  /** Somebody else's, who has not given it up. */
  #isOthers(claim: Claim | undefined): claim is Claim {
    return claim !== undefined && claim.runtime !== "" && claim.writer !== this.#writer.id;
  }

  async #spansOf(lanes: readonly LaneRecord[], signal: AbortSignal): Promise<ReadonlyMap<LaneId, LaneSpan>> {
    const turning = new Set<EntityIdentity>();
    for (const range of this.#world.catalog.ranges())
      if (range.until !== undefined) turning.add(range.stream);
    // Where every query reads for ever and the lane goes on, its span says nothing.
    const needed = lanes.filter(({ info, state }) => state.end !== undefined || turning.has(info.stream));
    this.#spans.keep(new Set(needed.map(({ info }) => info.id)));
    const spans = new Map<LaneId, LaneSpan>();
    for (const lane of needed) {
      const span = await this.#spans.spanOf(lane, signal).catch((error: unknown) => {
        // Of a site that is cut off it is not known yet: who continues such a lane waits.
        if (isHere(lane) || signal.aborted || !isPassing(error)) throw error;
      });
      if (span !== undefined) spans.set(lane.info.id, span);
    }
    return spans;
  }

  /** Lanes that have left, and that live ones continue: the others of their group may still be there (R5). */
  async #formerGroupsOf(
    lanes: readonly LaneRecord[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<LaneId, string>> {
    const { laneStore, model } = this.#world;
    const live = new Set(lanes.map(({ info }) => info.id));
    const former = new Set(lanes.flatMap(({ info: { predecessor } }) => predecessor ?? []));
    for (const id of this.#groups.keys()) if (!former.has(id)) this.#groups.delete(id);
    for (const id of former) {
      if (live.has(id) || this.#groups.has(id)) continue;
      this.#groups.set(id, (await laneStore.getLane(model, id, signal))?.info.group?.id);
    }
    const found = new Map<LaneId, string>();
    for (const [id, group] of this.#groups) if (group !== undefined) found.set(id, group);
    return found;
  }

  // ---- taking and giving up

  async #take({ query, claim: before }: UnitView, input: LaneRecord, signal: AbortSignal): Promise<void> {
    const { laneStore, model, log, failpoint } = this.#world;
    const lane = input.info.id;
    const generation = before?.generation ?? 0;
    const claim: Claim = {
      query,
      inputLane: lane,
      writer: this.#writer.id,
      runtime: this.#options.name,
      generation: generation + 1,
      done: false,
    };
    await failpoint?.("runtime.claim.before");
    const { won } = await laneStore.claim(model, claim, generation, signal);
    await failpoint?.("runtime.claim.after");
    if (!won) return this.#due.give();
    log.info("unit.taken", { model, query, lane, from: before?.writer });
    this.#freeSince.delete(unitKey(query, lane));
    this.#start(claim, input);
  }

  #start(claim: Claim, input: LaneRecord): void {
    const { query, inputLane } = claim;
    const unit = new Unit({ world: this.#world, query, input });
    const held: Held = {
      unit,
      claim,
      mineAtMs: this.#world.clock.monotonicMs(),
      running: Promise.resolve(),
    };
    this.#units.set(unitKey(query, inputLane), held);
    held.running = this.#run(held);
  }

  async #run(held: Held): Promise<void> {
    const { lost } = this.#writer;
    try {
      const outcome = await held.unit.run(lost);
      await this.#leave(held, outcome, lost);
    } catch (error) {
      if (error instanceof InvariantError) this.#fatal.reject(error);
      // Everything else that gets here is the end of the writer, and with it of every unit.
    } finally {
      this.#units.delete(unitKey(held.claim.query, held.claim.inputLane));
      this.#due.give();
    }
  }

  async #leave({ claim }: Held, outcome: "done" | "stopped", signal: AbortSignal): Promise<void> {
    const { laneStore, model, log, clock, ids, wake } = this.#world;
    const generation = claim.generation + 1;
    const left: Claim =
      outcome === "done" ? { ...claim, generation, done: true } : { ...claim, generation, runtime: "" };
    await persist(() => laneStore.claim(model, left, claim.generation, signal), clock, signal, ids);
    log.info(`unit.${outcome}`, { model, query: claim.query, lane: claim.inputLane });
    wake.notify(wakeTopics.lanes(model));
  }

  // ---- tidying

  async #finishLanes(house: House, lanes: readonly LaneRecord[], signal: AbortSignal): Promise<void> {
    const { laneStore, model, catalog, ledger, log } = this.#world;
    // A query of which it is not known what it reads may read any of them.
    if (catalog.unresolved.length > 0 || catalog.current < ledger.newest) return;
    const live = this.#members.live();
    for (const lane of lanes) {
      const { id, derived } = lane.info;
      const { ended } = await this.#endOf(lane, signal);
      if (ended === undefined || ended > catalog.current || !house.isFinished(lane)) continue;
      const query = derived?.query ?? ("" as EntityIdentity);
      if (ownerOf({ query, lane: id }, live) !== this.#writer.id) continue;
      await laneStore.finishLane(model, id, signal);
      log.info("lane.finished", { model, lane: id });
    }
  }

  async #endOf(lane: LaneRecord, signal: AbortSignal): Promise<Pick<LaneSpan, "ended">> {
    return lane.state.end === undefined ? { ended: undefined } : this.#spans.spanOf(lane, signal);
  }

  async #forgetMembers(signal: AbortSignal): Promise<void> {
    const { laneStore, model, clock } = this.#world;
    for (const member of this.#members.forgotten(clock.monotonicMs()))
      await laneStore.leave(model, member, signal);
  }
}

/** Of this site, as its lanes and members are. */
const isHere = ({ elsewhere }: { readonly elsewhere?: true }): boolean => elsewhere !== true;
