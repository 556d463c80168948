/**
 * Where the rows of a lane stand. A bucket is a partition; an append stands whole in the bucket where it begins
 * (DESIGN §5: never over two), so its last rows may have seqs of the next one. R1 (a seq once sent is retried the same)
 * makes the place of a row a function of its append. A reader that goes on from row to row needs no search: it follows a
 * partition to its end; who begins in the middle looks into the bucket of the seq, and then into those before it.
 */
import type { Entry, LaneInfo, Seq } from "@greco/domain/lane";
import { decodeEntry } from "./entry-codec.ts";
import type { LaneLimits } from "./limits.ts";
import { CASSANDRA_LIMITS } from "./limits.ts";
import { numberOf, type Row, type Session, statement } from "./session.ts";

export type LanePlace = {
  readonly session: Session;
  /** Of the table's keys. */
  readonly model: string;
  readonly info: LaneInfo;
  readonly limits: LaneLimits;
};

export type StoredRow = { readonly seq: Seq; readonly bytes: Buffer | undefined };

/** Rows that expire are in a table of their own. */
export const tableOf = ({ retentionMs }: LaneInfo): string =>
  retentionMs === undefined ? "message_kept" : "message";

export const bucketOf = (seq: number, { bucketRows }: LaneLimits): number => Math.floor(seq / bucketRows);

/** Buckets before that of `seq` in which an append that holds it may have begun, the nearest first. */
export function bucketsBefore(seq: number, limits: LaneLimits): number[] {
  const last = bucketOf(seq, limits);
  const first = bucketOf(Math.max(0, seq - limits.appendRows + 1), limits);
  return Array.from({ length: last - first }, (_, index) => last - 1 - index);
}

const toStored = (row: Row): StoredRow => ({
  seq: numberOf(row, "seq") as Seq,
  bytes: (row.get("entry") as Buffer | null | undefined) ?? undefined,
});

export type Range = { readonly from: number; readonly to?: number; readonly limit: number };

/** Rows of one bucket, ascending. */
export async function rowsUp(
  { session, model, info }: LanePlace,
  bucket: number,
  { from, to, limit }: Range,
  columns: "seq" | "seq, entry",
): Promise<StoredRow[]> {
  const upTo = to === undefined ? "" : "AND seq <= ? ";
  const rows = await session.rows(
    statement(
      `SELECT ${columns} FROM ${tableOf(info)} WHERE model = ? AND lane = ? AND bucket = ? AND seq >= ? ${upTo}LIMIT ?`,
      model,
      info.id,
      bucket,
      from,
      ...(to === undefined ? [] : [to]),
      limit,
    ),
    limit,
  );
  return rows.map(toStored);
}

/** Rows of one bucket at or below `to`, newest first. */
export async function rowsDown(
  { session, model, info }: LanePlace,
  bucket: number,
  { from, to, limit }: Required<Range>,
): Promise<StoredRow[]> {
  const rows = await session.rows(
    statement(
      `SELECT seq, entry FROM ${tableOf(info)}
        WHERE model = ? AND lane = ? AND bucket = ? AND seq >= ? AND seq <= ? ORDER BY seq DESC LIMIT ?`,
      model,
      info.id,
      bucket,
      from,
      to,
      limit,
    ),
    limit,
  );
  return rows.map(toStored);
}

export const toEntry = ({ seq, bytes }: StoredRow): Entry => decodeEntry(seq, bytes ?? Buffer.alloc(0));

export type Scan = {
  readonly from: Seq;
  readonly columns: "seq" | "seq, entry";
  /** An append that begins here stands in the bucket of this seq: none before needs to be searched. */
  readonly fresh?: boolean;
  /** Rows of the first page; later ones grow with what was seen of their size. */
  readonly page: number;
};

/** The rows from a seq on, gapless, until one is missing; yields pages, none empty. */
export class Scanner {
  readonly #place: LanePlace;
  readonly #scan: Scan;
  #next: Seq;
  /** The last query saw the row before `next` and no more: what comes next is another append. */
  #fresh: boolean;
  #page: number;
  #ended: number | undefined;

  constructor(place: LanePlace, scan: Scan) {
    this.#place = place;
    this.#scan = scan;
    this.#next = scan.from;
    this.#fresh = scan.fresh ?? false;
    this.#page = scan.page;
  }

  /** The first seq that was not seen. */
  get next(): Seq {
    return this.#next;
  }
  get fresh(): boolean {
    return this.#fresh;
  }

  /** At most `limit` rows; empty: the next one is missing. */
  async page(limit: number): Promise<readonly StoredRow[]> {
    const { limits } = this.#place;
    // Its bucket was just read to the end.
    if (this.#ended === bucketOf(this.#next, limits)) return [];
    const before = this.#fresh ? [] : bucketsBefore(this.#next, limits);
    for (const bucket of [bucketOf(this.#next, limits), ...before]) {
      const rows = await this.#from(bucket, Math.min(limit, this.#page));
      if (rows.length > 0) return rows;
    }
    return [];
  }

  async #from(bucket: number, limit: number): Promise<readonly StoredRow[]> {
    const { columns } = this.#scan;
    const rows = await rowsUp(this.#place, bucket, { from: this.#next, limit }, columns);
    const gap = rows.findIndex((row, index) => row.seq !== this.#next + index);
    const gapless = gap === -1 ? rows : rows.slice(0, gap);
    const last = gapless.at(-1);
    if (last === undefined) return [];
    this.#next = (last.seq + 1) as Seq;
    this.#fresh = gapless.length < limit;
    this.#ended = this.#fresh ? bucket : undefined;
    this.#grow(gapless);
    return gapless;
  }

  /** Pages of about what one read holds. */
  #grow(rows: readonly StoredRow[]): void {
    const bytes = rows.reduce((sum, row) => sum + (row.bytes?.length ?? 0), 0);
    const average = Math.max(1, bytes / rows.length);
    const fits = Math.floor(CASSANDRA_LIMITS.readBytes / average);
    this.#page = Math.max(1, Math.min(fits, CASSANDRA_LIMITS.readRows, this.#page * 8));
  }
}
