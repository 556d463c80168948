/** Writers' leases (R2): one integer each, touched by compare-and-swap only, at the writer's site, without a time to live. */
import type { WriterId, WriterLease } from "@greco/domain/lane";
import type { ModelId } from "@greco/domain/model";
import { LaneConflictError } from "@greco/ports";
import type { LaneCore } from "./core.ts";
import type { Lanes } from "./lanes.ts";
import { numberOf, type Row, type Session, statement, type Strength, textOf } from "./session.ts";
import { swapped } from "./swap.ts";

/** The count of a new lease. */
const FIRST = 1;

export function toLease(writer: WriterId, row: Row | undefined): WriterLease | undefined {
  const count = numberOf(row, "count");
  if (count === undefined) return undefined;
  return { writer, count, state: textOf(row, "lease_state") as WriterLease["state"] };
}

export class WriterLeases {
  readonly #core: LaneCore;
  readonly #lanes: Lanes;

  constructor(core: LaneCore, lanes: Lanes) {
    this.#core = core;
    this.#lanes = lanes;
  }

  /** Creates it at this site if there is none; returns what stands. */
  async create(model: ModelId, writer: WriterId): Promise<WriterLease> {
    const { sites, key, clock } = this.#core;
    await this.#lanes.tellSite(model, writer);
    return swapped(sites.own, clock, {
      what: `the lease of writer ${writer} is created`,
      statements: [
        statement(
          `UPDATE writer SET count = ${FIRST}, lease_state = 'held' WHERE model = ? AND writer = ? IF count = null`,
          key(model),
          writer,
        ),
      ],
      applied: { writer, count: FIRST, state: "held" },
      look: () => this.#read(sites.own, model, writer, "serial"),
    });
  }

  async read(model: ModelId, writer: WriterId): Promise<WriterLease | undefined> {
    return this.#read(await this.#session(model, writer), model, writer, "serial");
  }

  /** For readers at another site: what has come here, which is never ahead of the truth. */
  readHere(model: ModelId, writer: WriterId): Promise<WriterLease | undefined> {
    return this.#read(this.#core.sites.own, model, writer, "local");
  }

  /**
   * count → count + 1 while held. Nobody but the writer renews: what is found at count + 1 after a lost answer is its
   * own renewal.
   */
  async renew(model: ModelId, writer: WriterId, count: number): Promise<WriterLease | undefined> {
    const { key, clock } = this.#core;
    const session = await this.#session(model, writer);
    const renewed: WriterLease = { writer, count: count + 1, state: "held" };
    let lost = false;
    const answer = await swapped<{ lease: WriterLease | undefined }>(session, clock, {
      what: `the lease of writer ${writer} is renewed`,
      statements: [
        statement(
          "UPDATE writer SET count = ? WHERE model = ? AND writer = ? IF count = ? AND lease_state = 'held'",
          count + 1,
          key(model),
          writer,
          count,
        ),
      ],
      applied: { lease: renewed },
      look: async (outcome) => {
        lost ||= outcome === "unknown";
        const stands = await this.#read(session, model, writer, "serial");
        if (stands?.state === "held" && stands.count === count) return undefined;
        const ours = lost && stands?.state === "held" && stands.count === count + 1;
        return { lease: ours ? renewed : undefined };
      },
    });
    return answer.lease;
  }

  /** held at `count` → closing; returns what stands. */
  async close(model: ModelId, writer: WriterId, count: number): Promise<WriterLease> {
    const { key, clock } = this.#core;
    const session = await this.#session(model, writer);
    return swapped(session, clock, {
      what: `the lease of writer ${writer} is closed`,
      statements: [
        statement(
          `UPDATE writer SET lease_state = 'closing' WHERE model = ? AND writer = ?
           IF count = ? AND lease_state = 'held'`,
          key(model),
          writer,
          count,
        ),
      ],
      applied: { writer, count, state: "closing" },
      look: async () => {
        const stands = await this.#need(session, model, writer);
        return stands.state === "held" && stands.count === count ? undefined : stands;
      },
    });
  }

  /** closing → closed; closed stays. */
  async finish(model: ModelId, writer: WriterId): Promise<void> {
    const { key, clock } = this.#core;
    const session = await this.#session(model, writer);
    const state = await swapped(session, clock, {
      what: `the lease of writer ${writer} is finished`,
      statements: [
        statement(
          "UPDATE writer SET lease_state = 'closed' WHERE model = ? AND writer = ? IF lease_state = 'closing'",
          key(model),
          writer,
        ),
      ],
      applied: "closed",
      look: async () => {
        const { state: stands } = await this.#need(session, model, writer);
        return stands === "closing" ? undefined : stands;
      },
    });
    if (state === "held")
      throw new LaneConflictError(`the lease of writer ${writer} is held: close it before finishing it`);
  }

  async #session(model: ModelId, writer: WriterId): Promise<Session> {
    return this.#core.sites.at(await this.#lanes.siteOf(model, writer));
  }

  async #read(
    session: Session,
    model: ModelId,
    writer: WriterId,
    strength: Strength,
  ): Promise<WriterLease | undefined> {
    const row = await session.row(
      statement(
        "SELECT count, lease_state FROM writer WHERE model = ? AND writer = ? LIMIT 1",
        this.#core.key(model),
        writer,
      ),
      strength,
    );
    return toLease(writer, row);
  }

  async #need(session: Session, model: ModelId, writer: WriterId): Promise<WriterLease> {
    const lease = await this.#read(session, model, writer, "serial");
    if (lease === undefined) throw new LaneConflictError(`writer ${writer} has no lease: create it first`);
    return lease;
  }
}
