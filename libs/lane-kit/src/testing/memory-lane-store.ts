/**
 * A lane store in memory whose calls take simulated time and fail by chance, so that a whole lane can be run on a
 * simulated clock. Test only; what a real store does is said by the contract suite in libs/ports.
 */
import type { LedgerEntry } from "@greco/domain/epoch";
import type { Entry, LaneId, LaneInfo, LaneState, Seq, WriterId, WriterLease } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { Epoch, ModelId } from "@greco/domain/model";
import type { Checkpoint, Claim, Clock, DeadLetterOrder, LaneRecord, LaneStore } from "@greco/ports";
import { BelowRetentionError, StoreUnavailableError, StoreUnknownError } from "@greco/ports";

export type MemoryLaneStoreOptions = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  /** How long a call takes. Default 1 ms. */
  readonly latencyMs?: (call: string) => number;
  /** What befalls a call: nothing happened, or it is not known whether it did. */
  readonly fault?: (call: string) => "unavailable" | "unknown-done" | "unknown-late" | undefined;
};

type Lane = { info: LaneInfo; state: LaneState; finished: boolean; rows: Map<number, Entry> };

export type MemoryLaneStore = LaneStore & {
  /** Every row of a lane, in order, gaps and all. */
  rows(lane: LaneId): readonly Entry[];
  /** Contents that were put where another stood already: must stay empty (R1). */
  readonly conflicts: readonly string[];
};

const forever = new AbortController().signal;

export function createMemoryLaneStore(options: MemoryLaneStoreOptions): MemoryLaneStore {
  const { clock, latencyMs = () => 1, fault } = options;
  const lanes = new Map<LaneId, Lane>();
  const leases = new Map<WriterId, WriterLease>();
  const ledger = new Map<ModelId, LedgerEntry[]>();
  const floors = new Map<ModelId, Epoch>();
  const checkpoints = new Map<string, Checkpoint>();
  const claims = new Map<string, Claim>();
  const members = new Map<string, number>();
  const orders: DeadLetterOrder[] = [];
  const crossings = new Map<string, Epoch>();
  const conflicts: string[] = [];

  /** The moment of effect lies half-way; a late one may come long after the caller was told that it is unknown. */
  const call = async <T>(name: string, signal: AbortSignal, effect: () => T): Promise<T> => {
    const ms = latencyMs(name);
    const befalls = fault?.(name);
    await clock.sleep(ms / 2, signal);
    if (befalls === "unavailable") throw new StoreUnavailableError(`${name} was refused`);
    if (befalls === "unknown-late") {
      void clock.sleep(ms * (1 + options.chance() * 200), forever).then(effect, () => undefined);
      await clock.sleep(ms / 2, signal);
      throw new StoreUnknownError(`${name} may yet be done`);
    }
    const result = effect();
    await clock.sleep(ms / 2, signal);
    if (befalls === "unknown-done") throw new StoreUnknownError(`${name} may have been done`);
    return result;
  };
  const must = (lane: LaneId): Lane => {
    const found = lanes.get(lane);
    if (found === undefined) throw new Error(`no lane ${lane}`);
    return found;
  };
  const record = ({ info, state }: Lane): LaneRecord => ({ info, state });
  const tailOf = (lane: Lane): Seq => {
    let last = lane.state.firstRetained - 1;
    while (lane.rows.has(last + 1)) last += 1;
    return seq(last);
  };
  const put = (id: LaneId, entry: Entry): void => {
    const lane = must(id);
    const standing = lane.rows.get(entry.seq);
    if (standing !== undefined && JSON.stringify(standing) !== JSON.stringify(entry))
      conflicts.push(`${id} ${entry.seq}`);
    if (entry.seq >= lane.state.firstRetained) lane.rows.set(entry.seq, entry);
  };
  const change = (id: LaneId, part: Partial<LaneState>): void => {
    const lane = must(id);
    lane.state = { ...lane.state, ...part };
  };
  const mine = (model: ModelId): Lane[] =>
    [...lanes.values()]
      .filter(({ info }) => info.model === model)
      .toSorted((a, b) => (a.info.id < b.info.id ? -1 : 1));

  return {
    rows: (lane) => [...must(lane).rows.values()].toSorted((a, b) => a.seq - b.seq),
    conflicts,
    registerLane: (info, signal) =>
      call("registerLane", signal, () => {
        const state: LaneState = { closeRequested: false, firstRetained: seq(1) };
        if (!lanes.has(info.id)) lanes.set(info.id, { info, state, finished: false, rows: new Map() });
      }),
    getLane: (_model, lane, signal) =>
      call("getLane", signal, () => {
        const found = lanes.get(lane);
        return found && record(found);
      }),
    listLanes: (model, { stream, includeFinished = false }, signal) =>
      call("listLanes", signal, () =>
        mine(model)
          .filter((lane) => includeFinished || !lane.finished)
          .filter(({ info }) => stream === undefined || info.stream === stream)
          .map(record),
      ),
    finishLane: (_model, lane, signal) =>
      call("finishLane", signal, () => {
        must(lane).finished = true;
      }),
    append: (_model, appends, signal) =>
      call("append", signal, () => {
        for (const { lane, entries } of appends) for (const entry of entries) put(lane, entry);
      }),
    read: async (_model, lane, fromSeq, limit, signal) => {
      const entries = await call("read", signal, () => {
        const { rows, state } = must(lane);
        if (fromSeq < state.firstRetained) throw new BelowRetentionError(lane, fromSeq, state.firstRetained);
        const found: Entry[] = [];
        for (let next = rows.get(fromSeq); next !== undefined && found.length < limit;) {
          found.push(next);
          next = rows.get(next.seq + 1);
        }
        return found;
      });
      // R2: after the rows, at another moment.
      return call("read", signal, () => {
        const { state, info } = must(lane);
        return { entries, state, lease: leases.get(info.writer) };
      });
    },
    tail: (_model, lane, signal) => call("tail", signal, () => tailOf(must(lane))),
    readBackwards: (_model, lane, atMost, limit, signal) =>
      call("readBackwards", signal, () =>
        [...must(lane).rows.values()]
          .filter((entry) => entry.seq <= atMost)
          .toSorted((a, b) => b.seq - a.seq)
          .slice(0, limit),
      ),
    requestClose: (_model, lane, signal) =>
      call("requestClose", signal, () => change(lane, { closeRequested: true })),
    endLane: (_model, lane, end, signal) =>
      call("endLane", signal, () => {
        if (must(lane).state.end === undefined) change(lane, { end });
        return must(lane).state.end ?? end;
      }),
    trim: (_model, lane, firstRetained, signal) =>
      call("trim", signal, () => {
        change(lane, { firstRetained });
        const { rows } = must(lane);
        const below = [...rows.keys()].filter((at) => at < firstRetained);
        for (const at of below) rows.delete(at);
        return below.length;
      }),

    createLease: (_model, writer, signal) =>
      call("createLease", signal, () => {
        const lease = leases.get(writer) ?? ({ writer, count: 1, state: "held" } as const);
        leases.set(writer, lease);
        return lease;
      }),
    readLease: (_model, writer, signal) => call("readLease", signal, () => leases.get(writer)),
    renewLease: (_model, writer, count, signal) =>
      call("renewLease", signal, () => {
        const lease = leases.get(writer);
        if (lease?.state !== "held" || lease.count !== count) return undefined;
        const renewed = { ...lease, count: count + 1 };
        leases.set(writer, renewed);
        return renewed;
      }),
    closeLease: (_model, writer, count, signal) =>
      call("closeLease", signal, () => {
        const lease = leases.get(writer);
        if (lease === undefined) throw new Error(`no lease of ${writer}`);
        if (lease.state === "held" && lease.count === count)
          leases.set(writer, { ...lease, state: "closing" });
        return leases.get(writer) ?? lease;
      }),
    finishLease: (_model, writer, signal) =>
      call("finishLease", signal, () => {
        const lease = leases.get(writer);
        if (lease !== undefined) leases.set(writer, { ...lease, state: "closed" });
      }),
    lanesOfWriter: (model, writer, signal) =>
      call("lanesOfWriter", signal, () =>
        mine(model)
          .filter(({ info }) => info.writer === writer)
          .map(record),
      ),

    appendLedger: (entry, signal) =>
      call("appendLedger", signal, () => {
        const entries = ledger.get(entry.model) ?? [];
        ledger.set(
          entry.model,
          [...entries, entry].toSorted((a, b) => a.epoch - b.epoch),
        );
      }),
    readLedger: (model, afterEpoch, limit, signal) =>
      call("readLedger", signal, () =>
        (ledger.get(model) ?? []).filter(({ epoch }) => epoch > afterEpoch).slice(0, limit),
      ),
    listModels: (signal) => call("listModels", signal, () => [...ledger.keys()]),
    raiseFloor: (model, floor, signal) =>
      call("raiseFloor", signal, () => {
        floors.set(model, floor);
      }),
    readFloor: (model, signal) => call("readFloor", signal, () => floors.get(model) ?? (0 as Epoch)),

    putCheckpoint: (_model, checkpoint, signal) =>
      call("putCheckpoint", signal, () => {
        const { query, inputLane, writer } = checkpoint;
        checkpoints.set(`${query} ${inputLane} ${writer}`, checkpoint);
      }),
    readCheckpoints: (_model, query, inputLane, signal) =>
      call("readCheckpoints", signal, () =>
        [...checkpoints.values()].filter((each) => each.query === query && each.inputLane === inputLane),
      ),
    claim: (_model, claim, expectedGeneration, signal) =>
      call("claim", signal, () => {
        const key = `${claim.query} ${claim.inputLane}`;
        const standing = claims.get(key);
        if ((standing?.generation ?? 0) !== expectedGeneration && standing !== undefined)
          return { won: false, claim: standing };
        claims.set(key, claim);
        return { won: true, claim };
      }),
    listClaims: (_model, signal) => call("listClaims", signal, () => [...claims.values()]),
    heartbeat: (_model, runtime, signal) =>
      call("heartbeat", signal, () => {
        members.set(runtime, (members.get(runtime) ?? 0) + 1);
      }),
    leave: (_model, runtime, signal) =>
      call("leave", signal, () => {
        members.delete(runtime);
      }),
    listMembers: (_model, signal) =>
      call("listMembers", signal, () => [...members].map(([runtime, count]) => ({ runtime, count }))),
    putDeadLetterOrder: (_model, order, signal) =>
      call("putDeadLetterOrder", signal, () => {
        orders.push(order);
      }),
    listDeadLetterOrders: (_model, query, lane, signal) =>
      call("listDeadLetterOrders", signal, () =>
        orders.filter((each) => each.query === query && each.lane === lane),
      ),
    recordCrossing: (_model, query, lane, epoch, signal) =>
      call("recordCrossing", signal, () => {
        crossings.set(`${query} ${lane}`, epoch);
      }),
    readCrossing: (_model, query, lane, signal) =>
      call("readCrossing", signal, () => crossings.get(`${query} ${lane}`) ?? (0 as Epoch)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
