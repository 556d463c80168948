/** What the data plane shows of itself: streams, lanes, crossings, epochs. Read from the stores, never from memory alone. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  CrossingSchema,
  EpochEntrySchema,
  LaneStatusSchema,
  ReaderStatusSchema,
  StreamStatusSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import { LaneStatus_State } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { BUILT_IN_STREAMS } from "@greco/domain/epoch";
import type { LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { entityKey, parseEntityIdentity } from "@greco/domain/model";
import type { LaneMarker } from "@greco/lane-kit";
import { findMarkers, listCrossings, progressOf, readersOf } from "@greco/lane-kit";
import type { Claim, LaneRecord } from "@greco/ports";
import { fault } from "@greco/service-kit";
import type { ModelHost } from "./model-host.ts";
import type { Page } from "./paging.ts";
import { numberKey, pageOf } from "./paging.ts";
import { checkKnown, isBuiltIn } from "./stream-names.ts";

export type PageRequest = { readonly pageSize: number; readonly pageToken: string };

type Known = { readonly to: Seq; readonly markers: readonly LaneMarker[] };

/** Lanes whose markers are remembered: what was found up to a seq stays true (I7). */
const MARKERS_MAX = 2_000;
/** Lanes looked into side by side: enough to hide the store's round trips, not enough to keep publishers waiting. */
const LANES_AT_ONCE = 8;

export class Status {
  readonly #markers = new Map<LaneId, Known>();

  async streams(
    host: ModelHost,
    request: PageRequest,
    signal: AbortSignal,
  ): Promise<Page<MessageInitShape<typeof StreamStatusSchema>>> {
    const { index, newest } = host.ledger;
    const inForce = index.entitiesOf("stream").filter((each) => index.bindingAt(newest, each) !== undefined);
    const page = pageOf([...BUILT_IN_STREAMS, ...inForce].toSorted(), (identity) => identity, request);
    const items = [];
    for (const identity of page.items) items.push(await this.#stream(host, identity, signal));
    return { ...page, items };
  }

  async #stream(
    host: ModelHost,
    identity: EntityIdentity,
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof StreamStatusSchema>> {
    const filter = { stream: identity, includeFinished: true };
    const lanes = await host.context.laneStore.listLanes(host.model, filter, signal);
    let liveLanes = 0;
    let entries = 0;
    let epoch = host.ledger.newest;
    for (const lane of lanes) {
      const { firstRetained, end } = lane.state;
      // An ended lane's record says all: only live ones are looked into.
      const last = end === undefined ? await this.#last(host, lane, signal) : undefined;
      entries += Math.max(0, (last?.seq ?? end ?? 0) - firstRetained + 1);
      if (last === undefined) continue;
      liveLanes += 1;
      if (last.epoch < epoch) epoch = last.epoch;
    }
    return {
      name: `models/${host.model}/streams/${parseEntityIdentity(identity).name}`,
      identity,
      ledgerEpoch: BigInt(host.ledger.newest),
      lanesEpoch: BigInt(this.#currentEpoch(host, identity, epoch)),
      liveLanes,
      entries: BigInt(entries),
    };
  }

  /** What a lane whose last marker is of `epoch` is current to, as far as the scopes of later epochs tell. */
  #currentEpoch(host: ModelHost, stream: EntityIdentity, epoch: Epoch): Epoch {
    let current = epoch;
    for (const entry of host.ledger.entries(epoch)) {
      if (host.ledger.index.inScope(entry.epoch, stream)) break;
      current = entry.epoch;
    }
    return current;
  }

  async lanes(
    host: ModelHost,
    request: PageRequest & { readonly stream: string; readonly includeEnded: boolean },
    signal: AbortSignal,
  ): Promise<Page<MessageInitShape<typeof LaneStatusSchema>>> {
    const { laneStore } = host.context;
    const { stream, includeEnded } = request;
    if (stream !== "") await checkKnown(host, stream, signal);
    const listed = await laneStore.listLanes(host.model, { includeFinished: includeEnded }, signal);
    const key = stream === "" ? undefined : entityKey("stream", stream);
    const chosen = listed
      .filter(({ info }) => key === undefined || parseEntityIdentity(info.stream).key === key)
      .filter(({ state }) => includeEnded || state.end === undefined);
    const page = pageOf(chosen, ({ info }) => info.id, request);
    const claims = await laneStore.listClaims(host.model, signal);
    const items = [];
    for (let at = 0; at < page.items.length; at += LANES_AT_ONCE) {
      const some = page.items.slice(at, at + LANES_AT_ONCE);
      items.push(...(await Promise.all(some.map((record) => this.#lane(host, record, claims, signal)))));
    }
    return { ...page, items };
  }

  async #lane(
    host: ModelHost,
    record: LaneRecord,
    claims: readonly Claim[],
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof LaneStatusSchema>> {
    const { info } = record;
    const last = await this.#last(host, record, signal);
    const markers = await this.#markersOf(host, record, last.seq, signal);
    return {
      lane: info.id,
      stream: info.stream,
      writer: info.writer,
      state: await this.#state(host, record, signal),
      tailSeq: BigInt(last.seq),
      epoch: BigInt(last.epoch),
      markers: markers.map((marker) => ({ epoch: BigInt(marker.epoch), seq: BigInt(marker.seq) })),
      query: info.derived?.query ?? "",
      inputLane: info.derived?.inputLane ?? "",
      readers: await this.#readers(host, record, last, claims, signal),
      predecessor: info.predecessor ?? "",
    };
  }

  async #state(host: ModelHost, { info, state }: LaneRecord, signal: AbortSignal): Promise<LaneStatus_State> {
    if (state.end !== undefined) return LaneStatus_State.ENDED;
    if (state.closeRequested) return LaneStatus_State.CLOSING;
    const lease = await host.context.laneStore.readLease(host.model, info.writer, signal);
    return lease?.state === "held" ? LaneStatus_State.OPEN : LaneStatus_State.CLOSING;
  }

  async #readers(
    host: ModelHost,
    { info, state }: LaneRecord,
    last: { readonly seq: Seq; readonly epoch: Epoch },
    claims: readonly Claim[],
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof ReaderStatusSchema>[]> {
    const { laneStore } = host.context;
    const sources = { laneStore, ledger: host.ledger, bindings: host.bindings };
    const to = state.end === undefined ? host.ledger.newest : last.epoch;
    const readers = await readersOf(sources, info.stream, last.epoch, to, signal);
    const statuses = [];
    for (const { query, unknown } of readers) {
      // It may read the lane: shown where it does, or where nobody has anything of it, unless that is far-fetched.
      const isClaimed = (claim: Claim): boolean => claim.query === query && claim.inputLane === info.id;
      const isLikely = !isBuiltIn(info.stream) && !claims.some((claim) => claim.query === query);
      if (unknown !== undefined && !isLikely && !claims.some(isClaimed)) continue;
      const progress = await progressOf(sources, query, info.id, signal, claims);
      statuses.push({
        query,
        readSeq: BigInt(progress.inputSeq),
        lag: BigInt(progress.done ? 0 : Math.max(0, last.seq - progress.inputSeq)),
        epoch: BigInt(progress.inputEpoch),
        runtime: progress.claim?.runtime ?? "",
        // I12. Where nobody has taken the lane yet, nobody says so, and the missing binding does.
        holding: progress.holding ?? (progress.done ? "" : (unknown ?? "")),
      });
    }
    return statuses;
  }

  async #last(
    host: ModelHost,
    { info, state }: LaneRecord,
    signal: AbortSignal,
  ): Promise<{ readonly seq: Seq; readonly epoch: Epoch }> {
    const { laneStore } = host.context;
    const last = state.end ?? (await laneStore.tail(host.model, info.id, signal));
    const [entry] = last === 0 ? [] : await laneStore.readBackwards(host.model, info.id, last, 1, signal);
    return { seq: last, epoch: entry?.epoch ?? (0 as Epoch) };
  }

  async #markersOf(
    host: ModelHost,
    { info, state }: LaneRecord,
    last: Seq,
    signal: AbortSignal,
  ): Promise<readonly LaneMarker[]> {
    const known = this.#markers.get(info.id);
    const from = known === undefined ? state.firstRetained : seq(Math.max(known.to + 1, state.firstRetained));
    const place = { laneStore: host.context.laneStore, model: host.model, lane: info.id };
    const found = from > last ? [] : await findMarkers(place, from, last, signal);
    const markers = [...(known?.markers ?? []), ...found];
    this.#markers.set(info.id, { to: last, markers });
    for (const oldest of this.#markers.keys()) {
      if (this.#markers.size <= MARKERS_MAX) break;
      this.#markers.delete(oldest);
    }
    return markers;
  }

  async crossings(
    host: ModelHost,
    request: PageRequest & { readonly epoch: number },
    signal: AbortSignal,
  ): Promise<Page<MessageInitShape<typeof CrossingSchema>>> {
    const { epoch } = request;
    if (epoch > host.ledger.newest) await host.ledger.refresh(signal);
    if (epoch > host.ledger.newest)
      throw fault.outOfRange(
        "EPOCH_AHEAD",
        `the ledger of model ${host.model} shows epochs up to ${host.ledger.newest}, not ${epoch}`,
      );
    const sources = { laneStore: host.context.laneStore, ledger: host.ledger, bindings: host.bindings };
    const crossings = await listCrossings(sources, epoch as Epoch, signal);
    const key = (each: (typeof crossings)[number]): string => `${each.query} ${each.lane}`;
    const sorted = crossings.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
    const page = pageOf(sorted, key, request);
    return { ...page, items: page.items.map((each) => ({ ...each, epoch: BigInt(each.epoch) })) };
  }

  epochs(
    host: ModelHost,
    request: PageRequest & { readonly fromEpoch: number },
  ): Page<MessageInitShape<typeof EpochEntrySchema>> {
    const entries = host.ledger.entries(Math.max(0, request.fromEpoch - 1) as Epoch);
    const page = pageOf(entries, ({ epoch }) => numberKey(epoch), request);
    const items = page.items.map((entry) => ({
      epoch: BigInt(entry.epoch),
      candidate: entry.candidate,
      scope: [...entry.scope],
      bindings: entry.bindings.map((each) => ({
        entity: each.entity,
        hash: each.removed ? "" : each.hash,
        removed: each.removed,
      })),
      commitTime: timestampFromMs(entry.committedAtMs),
    }));
    return { ...page, items };
  }
}
