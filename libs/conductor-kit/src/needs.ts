/**
 * What lanes still need of an epoch range, read from durable rows (R7, I13). Conservative: what cannot be
 * told is a need.
 */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import { parseEntityIdentity, type EntityIdentity, type EntityKey, type Epoch } from "@greco/domain/model";
import {
  firstAtEpoch,
  hasCrossed,
  readersOf,
  type ProgressSources,
  type StreamReader,
} from "@greco/lane-kit";
import type { Claim, LaneRecord } from "@greco/ports";

const PAGE = 200;
const SEEN_READERS_MAX = 10_000;

type SeenRow = { readonly seq: Seq; readonly epoch: Epoch };

/**
 * What one look leaves to the next. Rows that were seen to be needed: as long as they are retained, nothing else
 * need be read, so what a long retention keeps costs a listing of the lanes, and not a search in each. And who
 * read a stream in a range of epochs that is past: that does not change.
 */
export class Seen {
  readonly #rows = new Map<string, SeenRow>();
  readonly #readers = new Map<string, readonly StreamReader[]>();

  async readers(
    stream: EntityIdentity,
    from: Epoch,
    below: Epoch,
    find: () => Promise<readonly StreamReader[]>,
  ): Promise<readonly StreamReader[]> {
    const key = `${stream}\n${from}\n${below}`;
    const known = this.#readers.get(key);
    if (known !== undefined) return known;
    const found = await find();
    // What is cleared is found again.
    if (this.#readers.size >= SEEN_READERS_MAX) this.#readers.clear();
    this.#readers.set(key, found);
    return found;
  }

  get(lane: LaneRecord, from: Epoch, below: Epoch): SeenRow | undefined {
    const key = `${lane.info.id}\n${from}\n${below}`;
    const row = this.#rows.get(key);
    if (row === undefined || row.seq >= lane.state.firstRetained) return row;
    this.#rows.delete(key);
    return undefined;
  }

  put(lane: LaneRecord, from: Epoch, below: Epoch, { seq: at, epoch }: Entry): void {
    this.#rows.set(`${lane.info.id}\n${from}\n${below}`, { seq: at, epoch });
  }
}

/** One look at all lanes of the model. What it learns is kept for the look only. */
export class Look {
  readonly #sources: ProgressSources;
  readonly #lanes: readonly LaneRecord[];
  readonly #claims: readonly Claim[];
  readonly #seen: Seen;
  readonly #byStream = new Map<EntityKey, LaneRecord[]>();
  readonly #known = new Map<string, Promise<string | undefined>>();

  private constructor(
    sources: ProgressSources,
    seen: Seen,
    lanes: readonly LaneRecord[],
    claims: readonly Claim[],
  ) {
    this.#sources = sources;
    this.#seen = seen;
    this.#lanes = lanes;
    this.#claims = claims;
    for (const lane of lanes) {
      const { key } = parseEntityIdentity(lane.info.stream);
      const known = this.#byStream.get(key);
      if (known === undefined) this.#byStream.set(key, [lane]);
      else known.push(lane);
    }
  }

  /** Lists all lanes at a quorum of every site, finished ones too: their rows may be replayed. */
  static async take(sources: ProgressSources, seen: Seen, signal: AbortSignal): Promise<Look> {
    const { laneStore, ledger } = sources;
    const lanes = await laneStore.listLanes(ledger.model, { includeFinished: true, everySite: true }, signal);
    return new Look(sources, seen, lanes, await laneStore.listClaims(ledger.model, signal));
  }

  /** Why a stream's lanes still need what was in force from `from` until `below`; undefined: they do not. */
  need(stream: EntityKey, from: Epoch, below: Epoch, signal: AbortSignal): Promise<string | undefined> {
    const key = `${stream}\n${from}\n${below}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      known = this.#look(stream, from, below, signal);
      this.#known.set(key, known);
    }
    return known;
  }

  async #look(
    stream: EntityKey,
    from: Epoch,
    below: Epoch,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const lanes = this.#byStream.get(stream) ?? [];
    const blocking = lanes.flatMap((lane) => this.#seen.get(lane, from, below) ?? []);
    if (blocking.length > 0) return `seq ${blocking[0]?.seq} of epoch ${blocking[0]?.epoch} is retained`;
    for (const lane of lanes) {
      const grows = await this.#mayGrow(lane, below, signal);
      if (grows !== undefined) return grows;
      const row = await this.#retainedRow(lane, from, below, signal);
      if (row !== undefined) {
        this.#seen.put(lane, from, below, row);
        return `lane ${lane.info.id} retains seq ${row.seq} of epoch ${row.epoch}`;
      }
      const behind = await this.#behind(lane, from, below, signal);
      if (behind !== undefined) return `${behind} has not crossed epoch ${below} in lane ${lane.info.id}`;
    }
    return undefined;
  }

  /** Rows below the epoch may still come: the lane has no end, and its last row is older. */
  async #mayGrow(
    { info, state }: LaneRecord,
    below: Epoch,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (state.end !== undefined) return undefined;
    const last = await this.#lastRow(info.id, signal);
    if (last !== undefined && last.epoch >= below) return undefined;
    return `lane ${info.id} is open at epoch ${last?.epoch ?? "none"}`;
  }

  async #lastRow(lane: LaneId, signal: AbortSignal): Promise<Entry | undefined> {
    const { laneStore, ledger } = this.#sources;
    const tail = await laneStore.tail(ledger.model, lane, signal);
    if (tail === 0) return undefined;
    return (await laneStore.readBackwards(ledger.model, lane, tail, 1, signal))[0];
  }

  /** A message of those epochs that can be read again: a replay within retention needs what was in force. */
  async #retainedRow(
    { info, state }: LaneRecord,
    from: Epoch,
    below: Epoch,
    signal: AbortSignal,
  ): Promise<Entry | undefined> {
    const { laneStore, ledger } = this.#sources;
    const { model } = ledger;
    const end = state.end ?? (await laneStore.tail(model, info.id, signal));
    const place = { laneStore, model, lane: info.id };
    let next = (await firstAtEpoch(place, state.firstRetained, end, from, signal))?.seq;
    while (next !== undefined && next <= end) {
      const { entries } = await laneStore.read(model, info.id, next, PAGE, signal);
      for (const entry of entries) {
        if (entry.epoch >= below || entry.seq > end) return undefined;
        if (entry.kind === "data") return entry;
      }
      const last = entries.at(-1);
      next = last === undefined ? undefined : seq(last.seq + 1);
    }
    return undefined;
  }

  /** R7: a query that reads the lane and has not passed the marker. */
  async #behind(
    lane: LaneRecord,
    from: Epoch,
    below: Epoch,
    signal: AbortSignal,
  ): Promise<EntityIdentity | undefined> {
    const { laneStore, ledger } = this.#sources;
    const { id, stream } = lane.info;
    const { entries } = await laneStore.read(ledger.model, id, lane.state.firstRetained, 1, signal);
    // It opened in that epoch or later, or holds nothing older any more: whoever reads it has crossed.
    if (entries[0] !== undefined && entries[0].epoch >= below) return undefined;
    const readers = await this.#seen.readers(stream, from, below, () =>
      readersOf(this.#sources, stream, from, below, signal),
    );
    for (const { query, until } of readers) {
      const marker = until !== undefined && until < below ? until : below;
      if (!(await hasCrossed(this.#sources, query, lane, this.#lanes, this.#claims, marker, signal)))
        return query;
    }
    return undefined;
  }
}
