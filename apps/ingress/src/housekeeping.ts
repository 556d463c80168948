/**
 * Retention, and finished lanes. Any ingress does it for every lane of the model; what one has done another finds done.
 *
 * H1. Nothing is dropped that a query has still to read (I8, I13), whatever its retention.
 * H2. A lane leaves the index of live ones when it has ended and every query that reads it has read it to its end.
 */
import type { Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import type { StreamReader } from "@greco/lane-kit";
import { firstAtEpoch, isPassing, progressOf, readersOf } from "@greco/lane-kit";
import type { Claim, LaneRecord } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import type { ModelHost } from "./model-host.ts";

const PAGE = 500;

export async function keepHouse(host: ModelHost, signal: AbortSignal): Promise<void> {
  const { clock, log, limits } = host.context;
  while (!signal.aborted) {
    await clock.sleep(limits.housekeepingMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await tidy(host, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (isPassing(error)) log.debug("housekeeping.later", { model: host.model, error });
      else log.warn("housekeeping.failed", { model: host.model, error });
    }
  }
}

/** One round over all lanes of the model, finished ones too while their retention lasts. */
export async function tidy(host: ModelHost, signal: AbortSignal): Promise<void> {
  const { laneStore, wake, log } = host.context;
  const live = new Set((await laneStore.listLanes(host.model, {}, signal)).map(({ info }) => info.id));
  const lanes = await laneStore.listLanes(host.model, { includeFinished: true }, signal);
  const claims = await laneStore.listClaims(host.model, signal);
  for (const lane of lanes) {
    const { id } = lane.info;
    const isLive = live.has(id);
    if (!isLive && (lane.info.retentionMs === undefined || isEmpty(lane))) continue;
    // A finished lane is needed by nobody (H2); only its retention counts.
    const needed = isLive ? await neededFrom(host, lane, claims, signal) : undefined;
    const end = lane.state.end;
    if (isLive && end !== undefined && needed === undefined) {
      await laneStore.finishLane(host.model, id, signal);
      wake.notify(wakeTopics.lanes(host.model));
      log.info("lane.finished", { model: host.model, lane: id, end });
    }
    await retain(host, lane, needed, signal);
  }
}

const isEmpty = ({ state }: LaneRecord): boolean =>
  state.end !== undefined && state.firstRetained > state.end;

/** The first seq of the lane that some query has still to read; undefined: none, and there never will be one. */
export async function neededFrom(
  host: ModelHost,
  lane: LaneRecord,
  claims: readonly Claim[],
  signal: AbortSignal,
): Promise<Seq | undefined> {
  const { laneStore } = host.context;
  const { info, state } = lane;
  const first = (await laneStore.read(host.model, info.id, state.firstRetained, 1, signal)).entries[0];
  const last = state.end ?? (await laneStore.tail(host.model, info.id, signal));
  const [newest] = last === 0 ? [] : await laneStore.readBackwards(host.model, info.id, seq(last), 1, signal);
  // An open lane may yet come to any epoch; of an ended one the last entry tells.
  const from = first?.epoch ?? host.ledger.newest;
  const to = state.end === undefined ? host.ledger.newest : (newest?.epoch ?? from);
  let needed = state.end === undefined ? seq(last + 1) : undefined;
  for (const reader of await readers(host, info.stream, from, to, signal)) {
    const at = await neededBy(host, reader, lane, seq(last), claims, signal);
    if (at !== undefined && (needed === undefined || at < needed)) needed = at;
  }
  return needed;
}

function readers(
  host: ModelHost,
  stream: EntityIdentity,
  from: Epoch,
  to: Epoch,
  signal: AbortSignal,
): Promise<readonly StreamReader[]> {
  const sources = { laneStore: host.context.laneStore, ledger: host.ledger, bindings: host.bindings };
  return readersOf(sources, stream, from, to, signal);
}

async function neededBy(
  host: ModelHost,
  { query, until }: StreamReader,
  { info, state }: LaneRecord,
  last: Seq,
  claims: readonly Claim[],
  signal: AbortSignal,
): Promise<Seq | undefined> {
  const { laneStore } = host.context;
  const progress = await progressOf({ laneStore, ledger: host.ledger }, query, info.id, signal, claims);
  if (progress.done) return undefined;
  const next = seq(progress.inputSeq + 1);
  if (state.end !== undefined && progress.inputSeq >= state.end) return undefined;
  if (until === undefined) return next;
  // It reads until the marker of the epoch that removes or turns it, and no further.
  const place = { laneStore, model: host.model, lane: info.id };
  const marker = await firstAtEpoch(place, state.firstRetained, last, until, signal);
  return marker !== undefined && next >= marker.seq ? undefined : next;
}

/** Drops what is older than the lane's retention; of a live lane the last entry stays, so that its epoch can be read. */
async function retain(
  host: ModelHost,
  { info, state }: LaneRecord,
  needed: Seq | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { laneStore, clock, limits, log } = host.context;
  if (info.retentionMs === undefined) return;
  const before = clock.nowMs() - info.retentionMs;
  const last = state.end ?? (await laneStore.tail(host.model, info.id, signal));
  const most = Math.min(needed ?? last + 1, state.end === undefined ? last : last + 1);
  let keep: number = state.firstRetained;
  for (let looked = 0; keep < most && looked < limits.trimRows;) {
    const { entries } = await laneStore.read(host.model, info.id, seq(keep), PAGE, signal);
    const young = entries.findIndex((entry) => entry.appendedAtMs >= before);
    const old = young === -1 ? entries.length : young;
    keep += old;
    looked += entries.length;
    if (young !== -1 || entries.length === 0) break;
  }
  keep = Math.min(keep, most);
  if (keep <= state.firstRetained) return;
  const dropped = await laneStore.trim(host.model, info.id, seq(keep), signal);
  log.info("lane.trimmed", { model: host.model, lane: info.id, firstRetained: keep, dropped });
}
