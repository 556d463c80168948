/** What runtimes keep: checkpoints, claims, membership, orders by hand, crossings. */
import type { LaneId, WriterId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { Checkpoint, Claim, DeadLetterOrder, Membership } from "@greco/ports";
import type { LaneCore } from "./core.ts";
import { partOf, stable } from "./keys.ts";
import type { Lanes } from "./lanes.ts";
import { CASSANDRA_LIMITS, CLAIM_PARTS, MEMBER_TTL_S } from "./limits.ts";
import { mapSome, numberOf, type Row, type Session, statement, textOf } from "./session.ts";
import { swapped } from "./swap.ts";

const recordOf = <T>(row: Row): T => JSON.parse(textOf(row, "record") ?? "") as T;

type Claimed = { readonly won: boolean; readonly claim: Claim };

export class RuntimeRecords {
  readonly #core: LaneCore;
  readonly #lanes: Lanes;
  #beat = 0;

  constructor(core: LaneCore, lanes: Lanes) {
    this.#core = core;
    this.#lanes = lanes;
  }

  get #own(): Session {
    return this.#core.sites.own;
  }

  // ---- checkpoints: one row a writer, the newest stands; no time to live

  putCheckpoint(model: ModelId, checkpoint: Checkpoint): Promise<void> {
    const { query, inputLane, writer } = checkpoint;
    return this.#own.write(
      statement(
        "INSERT INTO checkpoint (model, query, input_lane, writer, record) VALUES (?, ?, ?, ?, ?)",
        this.#core.key(model),
        query,
        inputLane,
        writer,
        stable(checkpoint),
      ),
    );
  }

  async checkpoints(model: ModelId, query: EntityIdentity, inputLane: LaneId): Promise<Checkpoint[]> {
    const rows = await this.#own.rows(
      statement(
        "SELECT record FROM checkpoint WHERE model = ? AND query = ? AND input_lane = ?",
        this.#core.key(model),
        query,
        inputLane,
      ),
      CASSANDRA_LIMITS.page,
    );
    return rows.map(recordOf<Checkpoint>);
  }

  // ---- claims: compare-and-swap on the generation, at the input lane's site

  async claim(model: ModelId, wanted: Claim, expected: number): Promise<Claimed> {
    if (wanted.generation <= expected)
      throw new RangeError(`a claim's generation must grow: got ${wanted.generation} over ${expected}`);
    const session = await this.#claimSession(model, wanted.inputLane);
    const record = stable(wanted);
    const where = [
      this.#core.key(model),
      partOf(wanted.inputLane, CLAIM_PARTS),
      wanted.inputLane,
      wanted.query,
    ];
    const stands = await swapped<Claimed>(session, this.#core.clock, {
      what: `${wanted.query} on ${wanted.inputLane} is claimed`,
      statements: [
        statement(
          `UPDATE claim SET generation = ?, record = ? WHERE model = ? AND part = ? AND input_lane = ? AND query = ?
           IF generation = ?`,
          wanted.generation,
          record,
          ...where,
          expected === 0 ? null : expected,
        ),
      ],
      applied: { won: true, claim: wanted },
      look: async () => {
        const row = await session.row(
          statement(
            "SELECT generation, record FROM claim WHERE model = ? AND part = ? AND input_lane = ? AND query = ?",
            ...where,
          ),
          "serial",
        );
        // A repeat of the one that stands is won again.
        if (textOf(row, "record") === record) return { won: true, claim: wanted };
        if ((numberOf(row, "generation") ?? 0) === expected) return undefined;
        if (row === undefined)
          throw new RangeError(
            `nobody has claimed ${wanted.query} on ${wanted.inputLane} yet: expect generation 0`,
          );
        return { won: false, claim: recordOf<Claim>(row) };
      },
    });
    return stands;
  }

  async claims(model: ModelId): Promise<Claim[]> {
    const parts = Array.from({ length: CLAIM_PARTS }, (_, part) => part);
    const rows = await mapSome(parts, (part) =>
      this.#own.rows(
        statement("SELECT record FROM claim WHERE model = ? AND part = ?", this.#core.key(model), part),
        CASSANDRA_LIMITS.page,
      ),
    );
    return rows
      .flat()
      .map(recordOf<Claim>)
      .toSorted((a, b) => (`${a.query} ${a.inputLane}` < `${b.query} ${b.inputLane}` ? -1 : 1));
  }

  /** Of a finished lane nobody needs to know who has read it. */
  async forgetClaims(model: ModelId, lane: LaneId): Promise<void> {
    const session = await this.#claimSession(model, lane);
    const where = [this.#core.key(model), partOf(lane, CLAIM_PARTS), lane];
    const rows = await session.rows(
      statement("SELECT query FROM claim WHERE model = ? AND part = ? AND input_lane = ?", ...where),
      CASSANDRA_LIMITS.page,
      "serial",
    );
    for (const row of rows)
      await swapped(session, this.#core.clock, {
        what: `claims of lane ${lane} are forgotten`,
        statements: [
          statement(
            "DELETE FROM claim WHERE model = ? AND part = ? AND input_lane = ? AND query = ? IF EXISTS",
            ...where,
            textOf(row, "query") ?? "",
          ),
        ],
        applied: true,
        look: async (outcome) => (outcome === "refused" ? true : undefined),
      });
  }

  // ---- membership

  /** A number that this runtime has not told before: observers count from its last change. */
  heartbeat(model: ModelId, runtime: string): Promise<void> {
    this.#beat = Math.max(this.#beat + 1, Math.floor(this.#core.clock.nowMs()));
    return this.#own.write(
      statement(
        `INSERT INTO member (model, runtime, count) VALUES (?, ?, ?) USING TTL ${MEMBER_TTL_S}`,
        this.#core.key(model),
        runtime,
        this.#beat,
      ),
    );
  }

  leave(model: ModelId, runtime: string): Promise<void> {
    return this.#own.write(
      statement("DELETE FROM member WHERE model = ? AND runtime = ?", this.#core.key(model), runtime),
    );
  }

  async members(model: ModelId): Promise<Membership[]> {
    const rows = await this.#own.rows(
      statement("SELECT runtime, count FROM member WHERE model = ?", this.#core.key(model)),
      CASSANDRA_LIMITS.page,
    );
    return mapSome(rows, async (row) => {
      const runtime = textOf(row, "runtime") ?? "";
      // A member goes by its writer's name, and of a writer it is known where it is.
      const site = this.#own.severalSites ? await this.#lanes.siteOf(model, runtime as WriterId) : undefined;
      const isHere = site === undefined || site === this.#own.site;
      return { runtime, count: numberOf(row, "count") ?? 0, ...(isHere ? {} : { elsewhere: true as const }) };
    });
  }

  // ---- orders by hand: the first for a position stands

  async putOrder(model: ModelId, order: DeadLetterOrder): Promise<void> {
    await swapped(this.#own, this.#core.clock, {
      what: `the order for seq ${order.seq} of lane ${order.lane}`,
      statements: [
        statement(
          "INSERT INTO dead_letter_order (model, query, lane, seq, record) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS",
          this.#core.key(model),
          order.query,
          order.lane,
          order.seq,
          stable(order),
        ),
      ],
      applied: true,
      look: async (outcome) => (outcome === "refused" ? true : undefined),
    });
  }

  async orders(model: ModelId, query: EntityIdentity, lane: LaneId): Promise<DeadLetterOrder[]> {
    const rows = await this.#own.rows(
      statement(
        "SELECT record FROM dead_letter_order WHERE model = ? AND query = ? AND lane = ?",
        this.#core.key(model),
        query,
        lane,
      ),
      CASSANDRA_LIMITS.page,
    );
    return rows.map(recordOf<DeadLetterOrder>);
  }

  // ---- crossings (R7): each is its own timestamp, so the greatest stands

  async cross(model: ModelId, query: EntityIdentity, lane: LaneId, epoch: Epoch): Promise<void> {
    if (epoch < 1) return;
    await this.#own.write(
      statement(
        "INSERT INTO crossing (model, query, lane, epoch) VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
        this.#core.key(model),
        query,
        lane,
        epoch,
        epoch,
      ),
    );
  }

  async crossing(model: ModelId, query: EntityIdentity, lane: LaneId): Promise<Epoch> {
    const row = await this.#own.row(
      statement(
        "SELECT epoch FROM crossing WHERE model = ? AND query = ? AND lane = ?",
        this.#core.key(model),
        query,
        lane,
      ),
    );
    return (numberOf(row, "epoch") ?? 0) as Epoch;
  }

  /** A lane that is not registered (yet) is this site's. */
  async #claimSession(model: ModelId, lane: LaneId): Promise<Session> {
    return this.#core.sites.at((await this.#lanes.find(model, lane))?.site);
  }
}
