/**
 * Rows of lanes. R1: plain inserts by explicit seq, no compare-and-swap and, for seqs that this handle has not sent yet,
 * nothing but the insert; only what is sent again, or was before this handle's time, is first compared with what stands.
 */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import { type Append, BelowRetentionError, LaneConflictError, type LaneRead } from "@greco/ports";
import {
  bucketOf,
  bucketsBefore,
  type LanePlace,
  rowsDown,
  rowsUp,
  Scanner,
  type StoredRow,
  tableOf,
  toEntry,
} from "./buckets.ts";
import type { LaneCore } from "./core.ts";
import { encodeEntry } from "./entry-codec.ts";
import type { Extents } from "./extents.ts";
import type { KnownLane, Lanes } from "./lanes.ts";
import { CASSANDRA_LIMITS, LANES_REMEMBERED, TTL_GRACE_MS, TTL_MAX_S } from "./limits.ts";
import { Recent } from "./recent.ts";
import { statement } from "./session.ts";
import { WriterStates } from "./writer-states.ts";

/** Undefined: for ever. */
export function ttlSeconds(retentionMs: number | undefined): number | undefined {
  if (retentionMs === undefined) return undefined;
  const seconds = Math.ceil((2 * retentionMs + TTL_GRACE_MS) / 1_000);
  return seconds > TTL_MAX_S ? 0 : seconds;
}

export class Messages {
  readonly #core: LaneCore;
  readonly #lanes: Lanes;
  readonly #extents: Extents;
  readonly #states: WriterStates;
  /** The greatest seq of each lane that this handle has sent. */
  readonly #sent = new Recent<number>(LANES_REMEMBERED);
  /** Of each lane the seq whose append can only begin in its own bucket, as the last read has shown. */
  readonly #fresh = new Recent<number>(LANES_REMEMBERED);

  constructor(core: LaneCore, lanes: Lanes, extents: Extents) {
    this.#core = core;
    this.#lanes = lanes;
    this.#extents = extents;
    this.#states = new WriterStates(core);
  }

  async append(model: ModelId, { lane, entries }: Append): Promise<void> {
    const [first] = entries;
    const last = entries.at(-1);
    if (first === undefined || last === undefined) return;
    const { info } = await this.#lanes.known(model, lane);
    const { limits } = this.#core;
    if (entries.length > limits.appendRows)
      throw new RangeError(
        `an append to lane ${lane} has ${entries.length} rows, at most ${limits.appendRows} stand in one bucket: send less at once`,
      );
    const place: LanePlace = { session: this.#core.sites.own, model: this.#core.key(model), info, limits };
    const id = `${place.model} ${lane}`;
    const rows = entries.map((entry) => ({ entry, bytes: encodeEntry(entry) }));
    const bytes = rows.reduce((sum, row) => sum + row.bytes.length, 0);
    if (bytes > CASSANDRA_LIMITS.appendBytes)
      throw new RangeError(
        `an append to lane ${lane} has ${bytes} bytes, at most ${CASSANDRA_LIMITS.appendBytes} are one write: send less at once`,
      );
    // R1: what was sent before, by whomever, stands; a second content is refused.
    if (first.seq <= (this.#sent.get(id) ?? Number.MAX_SAFE_INTEGER)) await checkSame(place, rows);
    this.#sent.set(id, Math.max(last.seq, this.#sent.get(id) ?? 0));
    const bucket = bucketOf(first.seq, limits);
    const ttl = ttlSeconds(info.retentionMs);
    const insert = `INSERT INTO ${tableOf(info)} (model, lane, bucket, seq, epoch, entry) VALUES (?, ?, ?, ?, ?, ?)`;
    await place.session.writePartition(
      rows.map(({ entry, bytes: content }) =>
        statement(
          ttl === undefined ? insert : `${insert} USING TTL ?`,
          place.model,
          lane,
          bucket,
          entry.seq,
          entry.epoch,
          content,
          ...(ttl === undefined ? [] : [ttl]),
        ),
      ),
    );
    this.#extents.landed(model, lane, first.seq, last.seq);
  }

  /** R2: the rows first, then lease and state, by one read of the writer's partition. */
  async read(model: ModelId, lane: LaneId, fromSeq: Seq, limit: number): Promise<LaneRead> {
    const known = await this.#lanes.known(model, lane);
    const place = this.#placeHere(known);
    const most = Math.min(limit, CASSANDRA_LIMITS.readRows);
    const rows = await this.#rowsFrom(place, fromSeq, most);
    const isOwn = known.site === this.#core.sites.own.site;
    // R2, at another site: only what its own site can no longer lose, as far as it has come here.
    const extent = isOwn ? undefined : await this.#extents.read(model, lane, place.session);
    const { state, lease } = await this.#states.read(known.info, isOwn ? "serial" : "local");
    if (fromSeq < state.firstRetained) throw new BelowRetentionError(lane, fromSeq, state.firstRetained);
    const standing = rows.length > 0 ? rows : await this.#expired(place, fromSeq, most);
    const upTo = extent === undefined ? undefined : (state.end ?? extent.gapless);
    const counted = upTo === undefined ? standing : standing.filter(({ seq }) => seq <= upTo);
    return { entries: counted.map(toEntry), state, lease };
  }

  /** R2: strongly, at the lane's site: what a quorum there has is seen, and what is seen is at a quorum. */
  async tail(model: ModelId, lane: LaneId): Promise<Seq> {
    const known = await this.#lanes.known(model, lane);
    const place = await this.#placeThere(known);
    const extent = await this.#extents.read(model, lane, place.session);
    const { firstRetained } = await this.#lanes.stateOf(known);
    let from = Math.max(extent.gapless, firstRetained - 1) + 1;
    if (extent.anchor?.seq === from) from++;
    const scanner = new Scanner(place, {
      from: from as Seq,
      columns: "seq",
      page: CASSANDRA_LIMITS.readRows,
    });
    while ((await scanner.page(CASSANDRA_LIMITS.readRows)).length > 0);
    const tail = (scanner.next - 1) as Seq;
    const next = bucketOf(tail, this.#core.limits) > bucketOf(extent.gapless, this.#core.limits);
    if (next || (tail > extent.gapless && this.#core.sites.own.severalSites))
      await this.#extents.tell(model, lane, tail, place.session);
    return tail;
  }

  async readBackwards(model: ModelId, lane: LaneId, atMost: Seq, limit: number): Promise<readonly Entry[]> {
    const known = await this.#lanes.known(model, lane);
    const place = await this.#placeThere(known);
    const { limits } = this.#core;
    const { firstRetained, end } = await this.#lanes.stateOf(known);
    const found = new Map<number, StoredRow>();
    const look = async (bucket: number): Promise<void> => {
      const range = { from: firstRetained, to: atMost, limit };
      for (const row of await rowsDown(place, bucket, range)) found.set(row.seq, row);
    };
    await look(bucketOf(atMost, limits));
    if (!isDense(newestOf(found, limit), atMost, limit)) {
      // Far above the lane's last row there is nothing to look for.
      const top = (end ?? (await this.tail(model, lane))) + 2 * limits.appendRows + limits.bucketRows;
      for (let bucket = bucketOf(Math.min(atMost, top), limits); bucket >= 0; bucket--) {
        await look(bucket);
        const newest = newestOf(found, limit);
        const lowest = newest.length < limit ? 0 : (newest.at(-1)?.seq ?? 0);
        // Rows of lower buckets are below these, or are these.
        if (isDense(newest, atMost, limit) || lowest >= bucket * limits.bucketRows + limits.appendRows) break;
        if ((bucket + 1) * limits.bucketRows + limits.appendRows <= firstRetained) break;
      }
    }
    const newest = newestOf(found, limit);
    if (newest.length === limit || known.info.retentionMs === undefined) return newest.map(toEntry);
    const { anchor } = await this.#extents.read(model, lane, place.session);
    const expired = anchor?.seq === firstRetained && anchor.seq <= atMost && !found.has(anchor.seq);
    return [...newest, ...(expired ? [anchor] : [])].map(toEntry);
  }

  /** R3: from now on, reading below is an error. Rows that expire go by themselves, the others by whole buckets. */
  async trim(model: ModelId, lane: LaneId, firstRetained: Seq): Promise<number> {
    const known = await this.#lanes.known(model, lane);
    const place = await this.#placeThere(known);
    const { limits } = this.#core;
    if (known.info.retentionMs !== undefined) await this.#dropAnchor(place, model, lane, firstRetained);
    const { from, to } = await this.#lanes.retainFrom(model, lane, firstRetained);
    const dropped = new Set<number>();
    const buckets = bucketsOf(from, to, limits);
    for (const bucket of buckets) {
      for (let next: number = from; next < to;) {
        const rows = await rowsUp(
          place,
          bucket,
          { from: next, to: to - 1, limit: CASSANDRA_LIMITS.readRows },
          "seq",
        );
        for (const { seq } of rows) dropped.add(seq);
        if (rows.length < CASSANDRA_LIMITS.readRows) break;
        next = (rows.at(-1)?.seq ?? to) + 1;
      }
      const over = (bucket + 1) * limits.bucketRows + limits.appendRows <= to;
      if (over && known.info.retentionMs === undefined)
        await place.session.write(
          statement(
            `DELETE FROM ${tableOf(known.info)} WHERE model = ? AND lane = ? AND bucket = ?`,
            place.model,
            lane,
            bucket,
          ),
        );
    }
    return dropped.size;
  }

  // ---- inside

  #placeHere({ info }: KnownLane): LanePlace {
    return {
      session: this.#core.sites.own,
      model: this.#core.key(info.model),
      info,
      limits: this.#core.limits,
    };
  }

  async #placeThere({ info, site }: KnownLane): Promise<LanePlace> {
    const session = await this.#core.sites.at(site);
    return { session, model: this.#core.key(info.model), info, limits: this.#core.limits };
  }

  async #rowsFrom(place: LanePlace, from: Seq, limit: number): Promise<StoredRow[]> {
    const id = `${place.model} ${place.info.id}`;
    const scanner = new Scanner(place, {
      from,
      columns: "seq, entry",
      fresh: this.#fresh.get(id) === from,
      page: CASSANDRA_LIMITS.firstPage,
    });
    const rows: StoredRow[] = [];
    for (let bytes = 0; rows.length < limit && bytes <= CASSANDRA_LIMITS.readBytes;) {
      const page = await scanner.page(limit - rows.length);
      if (page.length === 0) break;
      rows.push(...page);
      bytes += page.reduce((sum, row) => sum + (row.bytes?.length ?? 0), 0);
    }
    if (scanner.fresh) this.#fresh.set(id, scanner.next);
    return rows;
  }

  /** R3: a row that was durable, and is not there, has expired; where the lane stands was kept. */
  async #expired(place: LanePlace, from: Seq, limit: number): Promise<StoredRow[]> {
    const { info, session, limits } = place;
    if (info.retentionMs === undefined) return [];
    if (this.#core.clock.nowMs() - info.registeredAtMs < info.retentionMs) return [];
    const { gapless, anchor } = await this.#extents.read(info.model, info.id, session);
    if (anchor?.seq === from)
      return [anchor, ...(limit > 1 ? await this.#rowsFrom(place, (from + 1) as Seq, limit - 1) : [])];
    if (from > gapless) return [];
    if (anchor !== undefined && anchor.seq > from) throw new BelowRetentionError(info.id, from, anchor.seq);
    for (let bucket = bucketOf(from, limits); bucket <= bucketOf(gapless, limits); bucket++) {
      const [row] = await rowsUp(place, bucket, { from, limit: 1 }, "seq");
      if (row !== undefined) throw new BelowRetentionError(info.id, from, row.seq);
    }
    throw new BelowRetentionError(info.id, from, (gapless + 1) as Seq);
  }

  /** Before the row can expire: where the lane stands must be known for as long as it is open. */
  async #dropAnchor(place: LanePlace, model: ModelId, lane: LaneId, seq: Seq): Promise<void> {
    const [row] = await this.#rowsFrom(place, seq, 1);
    if (row?.bytes !== undefined) await this.#extents.anchor(model, lane, seq, row.bytes, place.session);
  }
}

/** All rows that were asked for, without a gap: nothing lower can be among them. */
const isDense = (newest: readonly StoredRow[], atMost: number, limit: number): boolean =>
  newest.length === limit && newest.every((row, index) => row.seq === atMost - index);

function newestOf(found: ReadonlyMap<number, StoredRow>, limit: number): StoredRow[] {
  return [...found.values()].toSorted((a, b) => b.seq - a.seq).slice(0, limit);
}

/** Buckets in which rows from `from` to before `to` may stand, ascending. */
function bucketsOf(from: number, to: number, limits: CoreLimits): number[] {
  if (from >= to) return [];
  const first = Math.min(bucketOf(from, limits), ...bucketsBefore(from, limits));
  return Array.from({ length: bucketOf(to - 1, limits) - first + 1 }, (_, index) => first + index);
}
type CoreLimits = LaneCore["limits"];

async function checkSame(
  place: LanePlace,
  rows: readonly { readonly entry: Entry; readonly bytes: Buffer }[],
): Promise<void> {
  const first = rows[0]?.entry.seq ?? 0;
  const last = rows.at(-1)?.entry.seq ?? 0;
  const standing = new Map<number, Buffer>();
  for (const bucket of bucketsOf(first, last + 1, place.limits))
    for (const { seq, bytes } of await rowsUp(
      place,
      bucket,
      { from: first, to: last, limit: rows.length },
      "seq, entry",
    ))
      if (bytes !== undefined) standing.set(seq, bytes);
  for (const { entry, bytes } of rows) {
    const stands = standing.get(entry.seq);
    if (stands !== undefined && !stands.equals(bytes))
      throw new LaneConflictError(
        `R1: seq ${entry.seq} of lane ${place.info.id} is bound to another content: abandon the lane`,
      );
  }
}
