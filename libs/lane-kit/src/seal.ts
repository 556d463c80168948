/**
 * Sealing dead writers (R2), as domain/lane's steps say. Any number of sealers at once, each may stop anywhere; whatever
 * one has done, another carries on.
 */
import type { SealState, WriterId } from "@greco/domain/lane";
import { sealStep } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import type { Clock, LaneRecord, LaneStore, Log, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { isPassing, persist } from "./waiting.ts";

export type SealOptions = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: ModelId;
  readonly leaseMs: number;
  /** Where a test lets the process stop: `lane.seal.close.before|after`, `lane.seal.end.before|after`. */
  readonly failpoint?: (name: string) => Promise<void>;
};

/** Looks in a lease: often enough that a renewal is seen as soon as it matters. */
const LOOKS_A_LEASE = 4;

type Turn = { readonly state: SealState; readonly outcome?: "sealed" | "alive"; readonly waitMs: number };

/**
 * Watches the writer's lease for twice the lease; when it changes: "alive", nothing was done. Otherwise it swaps it to
 * closing on the integer as seen, waits twice the lease, reads the tails strongly, sets each lane's end and closes the
 * lease: "sealed". A writer that is closing or closed already is carried on from there. Takes up to four leases.
 */
export async function sealWriter(
  options: SealOptions,
  writer: WriterId,
  signal: AbortSignal,
): Promise<"sealed" | "alive"> {
  let state: SealState | undefined;
  for (;;) {
    const before = state;
    const turn = await persist(() => turnOf(options, writer, before, signal), options.clock, signal);
    if (turn.outcome !== undefined) return turn.outcome;
    state = turn.state;
    if (turn.waitMs > 0) await options.clock.sleep(turn.waitMs, signal);
  }
}

/** Runs until the signal aborts: seals every writer of the model whose lease lapses while a lane of it has no end. */
export async function sealLapsedWriters(options: SealOptions, signal: AbortSignal): Promise<void> {
  const { laneStore, clock, log, model, leaseMs } = options;
  const states = new Map<WriterId, SealState>();
  while (!signal.aborted) {
    try {
      const lanes = await laneStore.listLanes(model, {}, signal);
      const open = lanes.filter(({ state }) => state.end === undefined);
      // I9: those of another site last, because it may be cut off.
      const ordered = [...open.filter((lane) => !isElsewhere(lane)), ...open.filter(isElsewhere)];
      const writers = new Set(ordered.map(({ info }) => info.writer));
      for (const writer of states.keys()) if (!writers.has(writer)) states.delete(writer);
      for (const writer of writers) {
        const turn = await turnOf(options, writer, states.get(writer), signal);
        if (turn.outcome === undefined) states.set(writer, turn.state);
        else states.delete(writer);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) log.error("seal.failed", { model, error });
    }
    await clock.sleep(leaseMs / LOOKS_A_LEASE, signal).catch(() => undefined);
  }
}

const isElsewhere = ({ elsewhere }: LaneRecord): boolean => elsewhere === true;

/** One look, and what follows from it. */
async function turnOf(
  options: SealOptions,
  writer: WriterId,
  before: SealState | undefined,
  signal: AbortSignal,
): Promise<Turn> {
  const { laneStore, clock, log, model, leaseMs, failpoint } = options;
  const lease = await laneStore.readLease(model, writer, signal);
  let { state, next } = sealStep(before, lease, clock.monotonicMs(), leaseMs);
  if (next.type === "close") {
    await failpoint?.("lane.seal.close.before");
    const stands = await laneStore.closeLease(model, writer, next.count, signal);
    await failpoint?.("lane.seal.close.after");
    log.info("seal.closing", { model, writer, state: stands.state });
    ({ state, next } = sealStep(state, stands, clock.monotonicMs(), leaseMs));
  }
  if (next.type === "leave") return { state, outcome: "alive", waitMs: 0 };
  if (next.type === "end-lanes") {
    await endLanes(options, writer, lease !== undefined, signal);
    return { state, outcome: "sealed", waitMs: 0 };
  }
  const untilMs = next.type === "look" ? next.atMs - clock.monotonicMs() : 0;
  return { state, waitMs: Math.max(1, Math.min(untilMs, leaseMs / LOOKS_A_LEASE)) };
}

async function endLanes(
  options: SealOptions,
  writer: WriterId,
  hasLease: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { laneStore, log, wake, model, failpoint } = options;
  for (const { info, state } of await laneStore.lanesOfWriter(model, writer, signal)) {
    if (state.end !== undefined) continue;
    // R2: read strongly, and only now, when nothing can be acknowledged any more.
    const tail = await laneStore.tail(model, info.id, signal);
    await failpoint?.("lane.seal.end.before");
    const end = await laneStore.endLane(model, info.id, tail, signal);
    await failpoint?.("lane.seal.end.after");
    log.info("lane.sealed", { model, lane: info.id, writer, end });
    wake.notify(wakeTopics.lane(info.id));
  }
  if (hasLease) await laneStore.finishLease(model, writer, signal);
  wake.notify(wakeTopics.lanes(model));
}
