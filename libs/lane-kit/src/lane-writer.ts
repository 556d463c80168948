/**
 * One incarnation of a writer, whole: its lease and renewals (R2, R5, R8), opening lanes (R3), markers of the lanes that
 * follow the ledger (R4), and the group commit of all its lanes (R1).
 *
 * W1. Once lost, it never acknowledges again and takes no more appends; what was under way is of unknown outcome.
 * W2. Every path out of it ends its loops: disposal, loss, and the signal that it was opened with.
 */
import type { LedgerEntry } from "@greco/domain/epoch";
import type { Flight, LaneInfo, Lease, LeaseTiming, Seq, WriterId } from "@greco/domain/lane";
import { AppendWindow, dueFromLedger, laneId, leaseCreated, leaseHolds, writerId } from "@greco/domain/lane";
import type { Epoch } from "@greco/domain/model";
import { parseEntityIdentity } from "@greco/domain/model";
import { type Append, wakeTopics } from "@greco/ports";
import { LaneLostError } from "./errors.ts";
import type { LedgerFollower } from "./ledger-follower.ts";
import { followLedger } from "./ledger-follower.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { WRITER_LIMITS } from "./limits.ts";
import type { LaneOwner } from "./open-lane.ts";
import { WriterLane } from "./open-lane.ts";
import { raced } from "./refresher.ts";
import { Backoff, isPassing, persist } from "./waiting.ts";
import type { LaneWriter, LaneWriterLimits, LaneWriterOptions, OpenLane, OpenLaneRequest } from "./writer.ts";

/** Opens a writer: takes a lease under a new id and keeps it. Rejects when the store does. */
export async function openLaneWriter(options: LaneWriterOptions, signal: AbortSignal): Promise<LaneWriter> {
  const { laneStore, clock, ids, model, name, leaseMs } = options;
  const limits = { ...WRITER_LIMITS, ...options.limits };
  const id = writerId(`${name}-${ids.next()}`);
  const ledger = options.ledger ?? (await followLedger(options, signal));
  try {
    const timing: LeaseTiming = { leaseMs, marginMs: leaseMs * limits.driftMargin };
    const sentMs = clock.monotonicMs();
    // A repeat after an unknown outcome finds the same lease; it still counts from the first sending.
    const created = await persist(() => laneStore.createLease(model, id, signal), clock, signal, ids);
    const lease = leaseCreated(created, sentMs, timing);
    const writer = new Writer(options, limits, id, ledger, lease, timing);
    writer.start(signal);
    return writer;
  } catch (error) {
    if (options.ledger === undefined) await ledger[Symbol.asyncDispose]();
    throw error;
  }
}

type Call = readonly { readonly lane: WriterLane; readonly flight: Flight }[];

class Writer implements LaneWriter, LaneOwner {
  readonly id: WriterId;
  readonly limits: LaneWriterLimits;
  readonly ledger: LedgerFollower;
  readonly #options: LaneWriterOptions;
  readonly #lost = new AbortController();
  readonly #keeper: LeaseKeeper;
  readonly #lanes = new Map<LaneInfo["id"], WriterLane>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #cleanups: (() => void)[] = [];
  #underWay = 0;
  #departing = false;
  /** Lanes that follow the ledger may take in markers up to here: their epochs were prepared. */
  #prepared: Epoch;
  #growing: Promise<void> = Promise.resolve();
  #disposing: Promise<void> | undefined;

  constructor(
    options: LaneWriterOptions,
    limits: LaneWriterLimits,
    id: WriterId,
    ledger: LedgerFollower,
    lease: Lease,
    timing: LeaseTiming,
  ) {
    this.#options = options;
    this.limits = limits;
    this.id = id;
    this.ledger = ledger;
    this.#prepared = ledger.newest;
    this.#keeper = new LeaseKeeper({
      ...options,
      writer: id,
      ledger,
      lease,
      timing,
      lost: (why, cause) => this.#lose(new LaneLostError(id, why, cause === undefined ? {} : { cause })),
      prolonged: () => this.#acknowledgeAll(),
      current: (floor) => this.#closeBelow(floor),
      closeRequested: (lane) => this.#closeLane(lane, "its end was asked for"),
    });
  }

  get model(): LaneWriterOptions["model"] {
    return this.#options.model;
  }
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  start(signal: AbortSignal): void {
    const abort = (): void =>
      this.#lose(new LaneLostError(this.id, "its owner has stopped", { cause: signal.reason }));
    signal.addEventListener("abort", abort, { once: true });
    this.#cleanups.push(() => signal.removeEventListener("abort", abort));
    this.#cleanups.push(this.ledger.onGrow((entry) => this.#grow(entry)));
    if (signal.aborted) abort();
    this.#track(this.#keeper.run(this.lost));
  }

  holds(): boolean {
    return !this.lost.aborted && leaseHolds(this.#keeper.lease, this.#options.clock.monotonicMs());
  }

  nowMs(): number {
    return this.#options.clock.nowMs();
  }

  lanes(): readonly OpenLane[] {
    return [...this.#lanes.values()].filter((lane) => !lane.closed.aborted);
  }

  async openLane(request: OpenLaneRequest, signal: AbortSignal): Promise<OpenLane> {
    const { laneStore, clock, ids, wake, log, model } = this.#options;
    const stop = AbortSignal.any([signal, this.lost]);
    stop.throwIfAborted();
    const info = this.#info(request);
    // R3: registered at a quorum first, so that whoever retires something sees that the lane may still open …
    await persist(() => laneStore.registerLane(info, stop), clock, stop, ids);
    // … then the ledger is read at a quorum …
    await persist(() => this.ledger.refresh(stop), clock, stop, ids);
    stop.throwIfAborted();
    // … and then it opens, with the marker of the newest epoch of the gapless prefix, in its scope or not.
    const follows = request.openAt === undefined;
    const window = new AppendWindow(request.openAt ?? this.ledger.newest);
    const lane = new WriterLane(this, info, window, follows);
    this.#lanes.set(lane.id, lane);
    const opened = lane.open(request.openSource);
    if (follows) this.#follow(lane);
    try {
      await raced(opened, stop);
    } catch (error) {
      this.#closeLane(lane.id, "nobody waits for it any more");
      throw error;
    }
    log.info("lane.opened", { model, lane: lane.id, stream: info.stream, epoch: window.epoch });
    wake.notify(wakeTopics.lanes(model));
    return lane;
  }

  async endAt(lane: WriterLane, end: Seq, signal: AbortSignal): Promise<void> {
    const { laneStore, clock, ids, wake, log, model } = this.#options;
    const stands = await persist(() => laneStore.endLane(model, lane.id, end, signal), clock, signal, ids);
    if (stands !== end)
      throw new LaneLostError(this.id, `lane ${lane.id} was sealed at ${stands}, before ${end}`);
    this.#lanes.delete(lane.id);
    log.info("lane.ended", { model, lane: lane.id, end });
    wake.notify(wakeTopics.lane(lane.id));
    wake.notify(wakeTopics.lanes(model));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    return this.#disposing;
  }

  // ---- group commit (R1)

  /** Once a turn of the event loop, so that what comes together goes together. */
  depart(): void {
    if (this.#departing) return;
    this.#departing = true;
    queueMicrotask(() => {
      this.#departing = false;
      while (!this.lost.aborted && this.#underWay < this.limits.flights) {
        const call = this.#load();
        if (call.length === 0) return;
        this.#underWay += 1;
        this.#track(this.#fly(call));
      }
    });
  }

  /** The next store call: of each lane what waits, in turn, within the bounds of a call. */
  #load(): Call {
    let { callEntries: entries, callBytes: bytes } = this.limits;
    const call: { lane: WriterLane; flight: Flight }[] = [];
    for (const lane of [...this.#lanes.values()]) {
      if (entries <= 0 || bytes <= 0) break;
      const flight = lane.depart(entries, bytes);
      if (flight === undefined) continue;
      // The lane goes to the end of the line, for the next call.
      this.#lanes.delete(lane.id);
      this.#lanes.set(lane.id, lane);
      call.push({ lane, flight });
      entries -= flight.entries.length;
      bytes -= flight.bytes;
    }
    return call;
  }

  async #fly(call: Call): Promise<void> {
    const { wake } = this.#options;
    try {
      await this.#send(call);
      for (const { lane, flight } of call) lane.landed(flight);
      // R1: the lease is asked after the store's answer.
      const holds = this.holds();
      for (const { lane } of call) {
        lane.acknowledge(holds);
        wake.notify(wakeTopics.lane(lane.id));
      }
    } catch (error) {
      if (!this.lost.aborted)
        this.#lose(new LaneLostError(this.id, "an append was given up", { cause: error }));
    } finally {
      this.#underWay -= 1;
      this.depart();
    }
  }

  /** R1: an unknown outcome is answered by the same rows again, until the store says yes or the lease is over. */
  async #send(call: Call): Promise<void> {
    const { laneStore, model, clock, ids } = this.#options;
    const appends = call.map(({ lane, flight }) => ({ lane: lane.id, entries: flight.entries }));
    const backoff = new Backoff(clock, ids);
    await this.#failpoints("before", appends);
    for (;;) {
      try {
        await laneStore.append(model, appends, this.lost);
        break;
      } catch (error) {
        if (this.lost.aborted || !isPassing(error)) throw error;
        await backoff.wait(this.lost);
      }
    }
    await this.#failpoints("after", appends);
  }

  async #failpoints(when: "before" | "after", appends: readonly Append[]): Promise<void> {
    const { failpoint } = this.#options;
    if (failpoint === undefined) return;
    await failpoint(`lane.append.${when}`);
    const markers = appends.flatMap(({ entries }) => entries.filter(({ kind }) => kind === "marker"));
    for (const epoch of new Set(markers.map((each) => each.epoch)))
      await failpoint(`lane.marker.${when}@${epoch}`);
  }

  #acknowledgeAll(): void {
    const holds = this.holds();
    for (const lane of this.#lanes.values()) lane.acknowledge(holds);
  }

  // ---- markers of the lanes that follow the ledger (R4)

  #grow(entry: LedgerEntry): void {
    const { prepareEpoch } = this.#options;
    if (prepareEpoch === undefined && this.#prepared === entry.epoch - 1) return this.#admit(entry.epoch);
    this.#growing = this.#growing.then(async () => {
      if (prepareEpoch !== undefined) await this.#prepare(entry, prepareEpoch);
      if (!this.lost.aborted) this.#admit(entry.epoch);
    });
    this.#track(this.#growing);
  }

  #admit(epoch: Epoch): void {
    this.#prepared = epoch;
    const following = [...this.#lanes.values()].filter((lane) => lane.follows);
    for (const lane of following) this.#follow(lane);
    // Only when every lane has its marker: who closes one may be followed by its owner, who closes others with it.
    for (const lane of following) this.#closeIfRemoved(lane);
  }

  #follow(lane: WriterLane): void {
    if (lane.closed.aborted) return;
    const { index } = this.ledger;
    const { markers, current } = dueFromLedger(index, lane.info.stream, lane.current, this.#prepared);
    for (const epoch of markers) {
      // Its fate is the lane's: whoever waits for the lane learns it there.
      lane.marker(epoch).catch(() => undefined);
      if (this.#isRemoved(lane, epoch)) return;
    }
    lane.advance(current);
  }

  /** A stream that is removed, made again, is another one: its lanes end behind the marker that removes it. */
  #closeIfRemoved(lane: WriterLane): void {
    if (this.#isRemoved(lane, lane.epoch)) this.#closeLane(lane.id, "its stream is removed");
  }

  #isRemoved({ info }: WriterLane, epoch: Epoch): boolean {
    const entry = this.ledger.index.entry(epoch);
    return entry?.bindings.some((each) => each.removed && each.entity === info.stream) ?? false;
  }

  async #prepare(
    entry: LedgerEntry,
    prepareEpoch: NonNullable<LaneWriterOptions["prepareEpoch"]>,
  ): Promise<void> {
    const { clock, leaseMs, log, model } = this.#options;
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, this.lost]);
    const bound = clock.sleep(leaseMs / 3, signal).then(
      () => enough.abort(new Error(`not prepared within ${leaseMs / 3} ms`)),
      () => undefined,
    );
    try {
      await raced(prepareEpoch(entry, signal), signal);
    } catch (error) {
      if (!this.lost.aborted) log.warn("epoch.unprepared", { model, epoch: entry.epoch, error });
    } finally {
      enough.abort();
      await bound;
    }
  }

  // ---- ending

  /** R8: a lane that is not current to the floor closes. Derived lanes: see OpenLaneRequest.openAt. */
  #closeBelow(floor: Epoch): void {
    for (const lane of [...this.#lanes.values()])
      if (lane.follows && lane.current < floor)
        this.#closeLane(lane.id, `it is not current to the floor ${floor}`);
  }

  #closeLane(id: LaneInfo["id"], why: string): void {
    const lane = this.#lanes.get(id);
    if (lane === undefined || lane.closed.aborted) return;
    this.#options.log.info("lane.closing", { model: this.model, lane: id, why });
    const ended = lane.end(this.lost).then(
      () => undefined,
      (error: unknown) => {
        if (!this.lost.aborted)
          this.#lose(new LaneLostError(this.id, `lane ${id} could not end`, { cause: error }));
      },
    );
    this.#track(ended);
  }

  #lose(error: LaneLostError): void {
    if (this.lost.aborted) return;
    this.#lost.abort(error);
    this.#options.log.warn("writer.lost", { model: this.model, writer: this.id, why: error.message });
    for (const lane of this.#lanes.values()) lane.lose(error);
    this.#release();
  }

  #release(): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }

  async #dispose(): Promise<void> {
    const { clock, leaseMs, log, model } = this.#options;
    const late = new AbortController();
    const bound = clock.sleep(leaseMs, late.signal).then(
      () => late.abort(new Error("not ended within one lease")),
      () => undefined,
    );
    try {
      if (!this.lost.aborted) {
        const signal = AbortSignal.any([late.signal, this.lost]);
        const ends = [...this.#lanes.values()].map((lane) => raced(lane.end(signal), signal));
        await Promise.all(ends);
        await this.#keeper.close(signal);
      }
    } catch (error) {
      log.warn("writer.unended", { model, writer: this.id, error });
    } finally {
      late.abort();
      await bound;
      if (!this.lost.aborted) {
        this.#lost.abort(new LaneLostError(this.id, "it was closed"));
        for (const lane of this.#lanes.values()) lane.lose(this.lost.reason as Error);
      }
      this.#release();
      await Promise.all(this.#tasks);
      if (this.#options.ledger === undefined) await this.ledger[Symbol.asyncDispose]();
    }
  }

  #info(request: OpenLaneRequest): LaneInfo {
    const { ids, clock, model } = this.#options;
    const { stream, derived, predecessor, group, retentionMs } = request;
    const id = request.id ?? laneId(`${parseEntityIdentity(stream).name}.${ids.next()}`);
    return {
      model,
      id,
      stream,
      writer: this.id,
      ...(retentionMs === undefined ? {} : { retentionMs }),
      ...(derived === undefined ? {} : { derived }),
      ...(predecessor === undefined ? {} : { predecessor }),
      ...(group === undefined ? {} : { group }),
      registeredAtMs: clock.nowMs(),
    };
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task);
    const done = (): void => void this.#tasks.delete(task);
    task.then(done, done);
  }
}
