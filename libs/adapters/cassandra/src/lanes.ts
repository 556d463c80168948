/**
 * Lanes: what is fixed about one (registered once, by compare-and-swap), its state (swapped, in its writer's partition),
 * and the indexes by which they are listed, which are hints: what they name is looked up.
 */
import type { LaneId, LaneInfo, LaneState, Seq, WriterId } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import { LaneConflictError, type LaneFilter, type LaneRecord, LaneUnknownError } from "@greco/ports";
import type { LaneCore } from "./core.ts";
import { partOf, spaceKey, stable } from "./keys.ts";
import { CASSANDRA_LIMITS, LANE_PARTS, LANES_A_READ, LANES_REMEMBERED } from "./limits.ts";
import { Recent } from "./recent.ts";
import { mapSome, numberOf, type Row, type Session, statement, type Strength, textOf } from "./session.ts";
import { swapped } from "./swap.ts";

export type KnownLane = { readonly info: LaneInfo; readonly site: string };

const STATE = "lane, end_seq, close_requested, first_retained, finished";

export function toState(row: Row | undefined): LaneState {
  const end = numberOf(row, "end_seq");
  return {
    closeRequested: row?.get("close_requested") === true,
    ...(end === undefined ? {} : { end: end as Seq }),
    firstRetained: (numberOf(row, "first_retained") ?? 1) as Seq,
  };
}

const toKnown = (row: Row): KnownLane => ({
  info: JSON.parse(textOf(row, "info") ?? "") as LaneInfo,
  site: textOf(row, "site") ?? "",
});

export class Lanes {
  readonly #core: LaneCore;
  readonly #known = new Recent<KnownLane>(LANES_REMEMBERED);
  readonly #writers = new Recent<string>(LANES_REMEMBERED);
  readonly #models = new Set<string>();

  constructor(core: LaneCore) {
    this.#core = core;
  }

  get #own(): Session {
    return this.#core.sites.own;
  }

  // ---- what never changes

  /** Throws `LaneUnknownError`. */
  async known(model: ModelId, lane: LaneId): Promise<KnownLane> {
    const found = await this.find(model, lane);
    if (found === undefined) throw new LaneUnknownError(model, lane);
    return found;
  }

  async find(model: ModelId, lane: LaneId): Promise<KnownLane | undefined> {
    const id = `${this.#core.key(model)} ${lane}`;
    const remembered = this.#known.get(id);
    if (remembered !== undefined) return remembered;
    const row = await this.#registration(model, lane, "local");
    return row === undefined ? undefined : this.#remember(toKnown(row));
  }

  /** The site of a writer; its own is taken for one of which nothing is known here. */
  async siteOf(model: ModelId, writer: WriterId): Promise<string> {
    const id = `${this.#core.key(model)} ${writer}`;
    const remembered = this.#writers.get(id);
    if (remembered !== undefined) return remembered;
    const row = await this.#own.row(
      statement("SELECT site FROM writer_site WHERE model = ? AND writer = ?", this.#core.key(model), writer),
    );
    const site = textOf(row, "site");
    if (site !== undefined) this.#writers.set(id, site);
    return site ?? this.#own.site;
  }

  async tellSite(model: ModelId, writer: WriterId): Promise<void> {
    const { key } = this.#core;
    await this.#own.write(
      statement(
        "INSERT INTO writer_site (model, writer, site) VALUES (?, ?, ?)",
        key(model),
        writer,
        this.#own.site,
      ),
    );
    this.#writers.set(`${key(model)} ${writer}`, this.#own.site);
  }

  // ---- registration

  /** R3: each step at a quorum, the indexes last: what is listed has a state. */
  async register(info: LaneInfo): Promise<void> {
    const { clock, key } = this.#core;
    const { model, id: lane, writer } = info;
    const text = stable(info);
    const { site } = this.#own;
    await this.noteModel(model);
    const stands = await swapped(this.#own, clock, {
      what: `lane ${lane} of model ${model} is registered`,
      statements: [
        statement(
          "UPDATE lane SET info = ?, site = ? WHERE model = ? AND lane = ? IF info = null",
          text,
          site,
          key(model),
          lane,
        ),
      ],
      applied: { info, site },
      look: async () => {
        const row = await this.#registration(model, lane, "serial");
        return row === undefined ? undefined : toKnown(row);
      },
    });
    if (stable(stands.info) !== text)
      throw new LaneConflictError(
        `lane ${lane} of model ${model} is registered otherwise: a lane's id is used once; take a new one`,
      );
    await swapped(this.#own, clock, {
      what: `lane ${lane} of model ${model} gets its state`,
      statements: [
        statement(
          "UPDATE writer SET info = ?, site = ?, first_retained = 1 WHERE model = ? AND writer = ? AND lane = ? IF info = null",
          text,
          site,
          key(model),
          writer,
          lane,
        ),
      ],
      applied: true,
      look: async () => ((await this.#stateRow(stands, "serial")) === undefined ? undefined : true),
    });
    await Promise.all([
      this.#own.write(
        statement(
          "INSERT INTO live_lane (model, lane, info, site) VALUES (?, ?, ?, ?)",
          key(model),
          lane,
          text,
          site,
        ),
      ),
      this.#own.write(
        statement(
          "INSERT INTO every_lane (model, part, lane, info, site) VALUES (?, ?, ?, ?, ?)",
          key(model),
          partOf(lane, LANE_PARTS),
          lane,
          text,
          site,
        ),
      ),
    ]);
    this.#remember(stands);
  }

  async noteModel(model: ModelId): Promise<void> {
    if (this.#models.has(model)) return;
    await this.#own.write(
      statement("INSERT INTO model (space, model) VALUES (?, ?)", spaceKey(this.#core.space), model),
    );
    this.#models.add(model);
  }

  async models(): Promise<ModelId[]> {
    const rows = await this.#own.rows(
      statement("SELECT model FROM model WHERE space = ?", spaceKey(this.#core.space)),
      CASSANDRA_LIMITS.page,
    );
    return rows.map((row) => textOf(row, "model") as ModelId);
  }

  // ---- state

  async get(model: ModelId, lane: LaneId): Promise<LaneRecord | undefined> {
    const known = await this.find(model, lane);
    if (known === undefined) return undefined;
    return { ...this.#place(known), state: toState(await this.#stateRow(known, "serial")) };
  }

  /** Read at LOCAL_SERIAL, at the lane's site. */
  async stateOf(known: KnownLane): Promise<LaneState> {
    return toState(await this.#stateRow(known, "serial"));
  }

  async list(model: ModelId, { stream, includeFinished, everySite }: LaneFilter): Promise<LaneRecord[]> {
    const strength = everySite === true ? "everySite" : "local";
    const listed =
      includeFinished === true ? await this.#every(model, strength) : await this.#live(model, strength);
    const wanted = listed.filter(({ info }) => stream === undefined || info.stream === stream);
    const byWriter = Map.groupBy(wanted, ({ info }) => info.writer);
    const found = await mapSome([...byWriter.values()], (lanes) => this.#statesOf(model, lanes, strength));
    return found
      .flat()
      .filter(({ finished }) => includeFinished === true || !finished)
      .map(({ record }) => record)
      .toSorted((a, b) => (a.info.id < b.info.id ? -1 : 1));
  }

  /** The writer's lanes, as its own site has them. */
  async ofWriter(model: ModelId, writer: WriterId): Promise<LaneRecord[]> {
    const session = await this.#core.sites.at(await this.siteOf(model, writer));
    const rows = await session.rows(
      statement(
        `SELECT info, site, ${STATE} FROM writer WHERE model = ? AND writer = ?`,
        this.#core.key(model),
        writer,
      ),
      CASSANDRA_LIMITS.page,
      "serial",
    );
    // A lease without lanes is a row without one.
    return rows
      .filter((row) => textOf(row, "info") !== undefined)
      .map((row) => ({ info: this.#remember(toKnown(row)).info, state: toState(row) }));
  }

  /** Compare-and-swap: the first end stands for ever. */
  end(model: ModelId, lane: LaneId, end: Seq): Promise<Seq> {
    return this.#change(model, lane, {
      set: "end_seq = ?",
      condition: "end_seq = null",
      values: [end],
      applied: end,
      decided: (row) => toState(row).end,
    });
  }

  requestClose(model: ModelId, lane: LaneId): Promise<boolean> {
    return this.#change(model, lane, {
      set: "close_requested = true",
      condition: "close_requested = null",
      values: [],
      applied: true,
      decided: (row) => (row?.get("close_requested") === true ? true : undefined),
    });
  }

  /** R3: only grows. Returns what was the first before; what stands already when it is not below. */
  async retainFrom(
    model: ModelId,
    lane: LaneId,
    first: Seq,
  ): Promise<{ readonly from: Seq; readonly to: Seq }> {
    const known = await this.known(model, lane);
    for (;;) {
      const before = toState(await this.#stateRow(known, "serial")).firstRetained;
      if (first <= before) return { from: before, to: before };
      const stands = await this.#change(model, lane, {
        set: "first_retained = ?",
        condition: "first_retained = ?",
        values: [first, before],
        applied: first,
        decided: (row) => {
          const now = toState(row).firstRetained;
          return now === before ? undefined : now;
        },
      });
      if (stands === first) return { from: before, to: first };
    }
  }

  /** The state first, which is the truth; then the index, which may come back for a while and is looked through. */
  async finish(model: ModelId, lane: LaneId): Promise<void> {
    await this.#change(model, lane, {
      set: "finished = true",
      condition: "finished = null",
      values: [],
      applied: true,
      decided: (row) => (row?.get("finished") === true ? true : undefined),
    });
    await this.#own.write(
      statement("DELETE FROM live_lane WHERE model = ? AND lane = ?", this.#core.key(model), lane),
    );
  }

  // ---- inside

  async #change<T>(
    model: ModelId,
    lane: LaneId,
    change: {
      readonly set: string;
      readonly condition: string;
      readonly values: readonly number[];
      readonly applied: T;
      decided(row: Row | undefined): T | undefined;
    },
  ): Promise<T> {
    const known = await this.known(model, lane);
    const session = await this.#core.sites.at(known.site);
    const where = [this.#core.key(model), known.info.writer, lane];
    const setValues = change.values.slice(0, 1);
    const conditionValues = change.values.slice(1);
    return swapped(session, this.#core.clock, {
      what: `lane ${lane} of model ${model}: ${change.set}`,
      statements: [
        statement(
          `UPDATE writer SET ${change.set} WHERE model = ? AND writer = ? AND lane = ? IF ${change.condition}`,
          ...setValues,
          ...where,
          ...conditionValues,
        ),
      ],
      applied: change.applied,
      look: async () => change.decided(await this.#stateRow(known, "serial")),
    });
  }

  async #stateRow({ info, site }: KnownLane, strength: Strength): Promise<Row | undefined> {
    const session = await this.#core.sites.at(site);
    return session.row(
      statement(
        `SELECT ${STATE} FROM writer WHERE model = ? AND writer = ? AND lane = ?`,
        this.#core.key(info.model),
        info.writer,
        info.id,
      ),
      strength,
    );
  }

  #registration(model: ModelId, lane: LaneId, strength: Strength): Promise<Row | undefined> {
    return this.#own.row(
      statement("SELECT info, site FROM lane WHERE model = ? AND lane = ?", this.#core.key(model), lane),
      strength,
    );
  }

  async #live(model: ModelId, strength: Strength): Promise<KnownLane[]> {
    const rows = await this.#own.rows(
      statement("SELECT info, site FROM live_lane WHERE model = ?", this.#core.key(model)),
      CASSANDRA_LIMITS.page,
      strength,
    );
    return rows.map((row) => this.#remember(toKnown(row)));
  }

  async #every(model: ModelId, strength: Strength): Promise<KnownLane[]> {
    const parts = Array.from({ length: LANE_PARTS }, (_, part) => part);
    const rows = await mapSome(parts, (part) =>
      this.#own.rows(
        statement(
          "SELECT info, site FROM every_lane WHERE model = ? AND part = ?",
          this.#core.key(model),
          part,
        ),
        CASSANDRA_LIMITS.page,
        strength,
      ),
    );
    return rows.flat().map((row) => this.#remember(toKnown(row)));
  }

  async #statesOf(
    model: ModelId,
    lanes: readonly KnownLane[],
    strength: Strength,
  ): Promise<{ readonly record: LaneRecord; readonly finished: boolean }[]> {
    const writer = lanes[0]?.info.writer ?? "";
    const rows = new Map<string, Row>();
    for (let from = 0; from < lanes.length; from += LANES_A_READ) {
      const ids = lanes.slice(from, from + LANES_A_READ).map(({ info }) => info.id);
      const found = await this.#own.rows(
        statement(
          `SELECT ${STATE} FROM writer WHERE model = ? AND writer = ? AND lane IN ?`,
          this.#core.key(model),
          writer,
          ids,
        ),
        LANES_A_READ,
        strength,
      );
      for (const row of found) rows.set(textOf(row, "lane") ?? "", row);
    }
    return lanes.map((known) => {
      const row = rows.get(known.info.id);
      const record = { ...this.#place(known), state: toState(row) };
      return { record, finished: row?.get("finished") === true };
    });
  }

  #place({ info, site }: KnownLane): Omit<LaneRecord, "state"> {
    return site === this.#own.site ? { info } : { info, elsewhere: true };
  }

  #remember(known: KnownLane): KnownLane {
    const { model, id, writer } = known.info;
    const key = this.#core.key(model);
    this.#known.set(`${key} ${id}`, known);
    this.#writers.set(`${key} ${writer}`, known.site);
    return known;
  }
}
