/**
 * How far each lane is known to be durable without a gap: a fact that only grows, so it is written with itself as its
 * timestamp, by whoever knows it. It saves a search from the first retained row for a lane's tail, tells a reader at
 * another site how far it may go (R2), and tells rows that have expired from rows that are not there yet.
 */
import type { LaneId, Seq } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import type { LaneCore } from "./core.ts";
import { LANES_REMEMBERED, TELL_SITES_MS } from "./limits.ts";
import { Recent } from "./recent.ts";
import { numberOf, type Session, statement } from "./session.ts";

export type Extent = {
  /** Every row up to it was durable at a quorum of the lane's site. */
  readonly gapless: Seq;
  /** The row at the first retained seq, kept when it expires: it says where the lane stands. */
  readonly anchor: { readonly seq: Seq; readonly bytes: Buffer } | undefined;
};

type Written = { told: number; telling: boolean; prefix: number; readonly ahead: Map<number, number> };

export class Extents {
  readonly #core: LaneCore;
  /** Of the lanes that this handle writes from their first row on. */
  readonly #written = new Recent<Written>(LANES_REMEMBERED);

  constructor(core: LaneCore) {
    this.#core = core;
  }

  async read(model: ModelId, lane: LaneId, session: Session): Promise<Extent> {
    const row = await session.row(
      statement(
        "SELECT gapless, anchor_seq, anchor FROM extent WHERE model = ? AND lane = ?",
        this.#core.key(model),
        lane,
      ),
    );
    const seq = numberOf(row, "anchor_seq");
    const bytes = row?.get("anchor") as Buffer | null | undefined;
    return {
      gapless: (numberOf(row, "gapless") ?? 0) as Seq,
      anchor: seq === undefined || !bytes ? undefined : { seq: seq as Seq, bytes },
    };
  }

  async tell(model: ModelId, lane: LaneId, gapless: number, session: Session): Promise<void> {
    await session.write(
      statement(
        "UPDATE extent USING TIMESTAMP ? SET gapless = ? WHERE model = ? AND lane = ?",
        gapless,
        gapless,
        this.#core.key(model),
        lane,
      ),
    );
  }

  async anchor(model: ModelId, lane: LaneId, seq: Seq, bytes: Buffer, session: Session): Promise<void> {
    await session.write(
      statement(
        "UPDATE extent USING TIMESTAMP ? SET anchor_seq = ?, anchor = ? WHERE model = ? AND lane = ?",
        seq,
        seq,
        bytes,
        this.#core.key(model),
        lane,
      ),
    );
  }

  /** Rows `first` … `last` of a lane are durable by this handle. What follows from it is told beside the message path. */
  landed(model: ModelId, lane: LaneId, first: number, last: number): void {
    const id = `${this.#core.key(model)} ${lane}`;
    const written = this.#written.get(id) ?? (first === 1 ? newlyWritten() : undefined);
    if (written === undefined) return;
    this.#written.set(id, written);
    advance(written, first, last);
    if (written.telling || written.prefix === written.told) return;
    const { severalSites } = this.#core.sites.own;
    const { bucketRows } = this.#core.limits;
    if (!severalSites && Math.floor(written.prefix / bucketRows) <= Math.floor(written.told / bucketRows))
      return;
    written.telling = true;
    this.#core.gate.track(this.#tellNow(model, lane, written, severalSites ? TELL_SITES_MS : 0));
  }

  /** What lands while it waits, or while it is told, is told with it or after it: the last of all is never left out. */
  async #tellNow(model: ModelId, lane: LaneId, written: Written, waitMs: number): Promise<void> {
    const { sites, clock, log } = this.#core;
    try {
      do {
        if (waitMs > 0) await clock.sleep(waitMs, never);
        const { prefix } = written;
        await this.tell(model, lane, prefix, sites.own);
        written.told = prefix;
      } while (waitMs > 0 && written.told < written.prefix);
    } catch (error) {
      // The next append, or whoever looks for the tail, tells it.
      log.debug("cassandra.extent-untold", { model, lane, error });
    } finally {
      written.telling = false;
    }
  }
}

/** Closing waits for it: it takes a wait and a request. */
const never = new AbortController().signal;

const newlyWritten = (): Written => ({ told: 0, telling: false, prefix: 0, ahead: new Map() });

function advance(written: Written, first: number, last: number): void {
  if (last <= written.prefix) return;
  written.ahead.set(first, Math.max(last, written.ahead.get(first) ?? 0));
  for (let moved = true; moved;) {
    moved = false;
    for (const [from, to] of written.ahead) {
      if (from > written.prefix + 1) continue;
      written.prefix = Math.max(written.prefix, to);
      written.ahead.delete(from);
      moved = true;
    }
  }
}
