/**
 * Conductors' leases and journals: one partition each, at the home site, touched by compare-and-swap only. A record is
 * swapped together with incarnation and last sequence, so a write of who was taken over (K2, I1) can never land.
 */
import { randomUUID } from "node:crypto";
import type { ConductorId, ModelId } from "@greco/domain/model";
import { type ConductorLease, FencedError, type JournalRecord, StoreUnknownError } from "@greco/ports";
import type { Core } from "./core.ts";
import { CAS_ATTEMPTS, CASSANDRA_LIMITS } from "./limits.ts";
import { numberOf, statement, type Statement, type Swapped, textOf, type Value } from "./session.ts";
import { swapped } from "./swap.ts";

/** Those who start at once refuse each other: each round lets one of them in. */
const TAKERS_AT_ONCE = 100;

type Standing = {
  readonly incarnation: number | undefined;
  readonly count: number;
  readonly holder: string | undefined;
  /** The first record that is kept; 1 before any was compacted. */
  readonly first: number;
  /** 0: none. */
  readonly last: number;
};

export class Journal {
  readonly #core: Core;
  readonly #model: ModelId;
  readonly #conductor: ConductorId;

  constructor(core: Core, model: ModelId, conductor: ConductorId) {
    this.#core = core;
    this.#model = model;
    this.#conductor = conductor;
  }

  // ---- the lease

  async take(): Promise<ConductorLease> {
    const holder = randomUUID();
    for (let round = 0; round < TAKERS_AT_ONCE; round++) {
      const { incarnation } = await this.#standing();
      const taken = (incarnation ?? 0) + 1;
      const won = await swapped(this.#core.sites.own, this.#core.clock, {
        what: `conductor ${this.#conductor} is taken`,
        statements: [
          this.#change(
            "incarnation = ?, count = 0, holder = ?",
            "incarnation = ?",
            [taken, holder],
            [incarnation ?? null],
          ),
        ],
        applied: true,
        look: async () => {
          const stands = await this.#standing();
          if (stands.holder === holder) return true;
          return stands.incarnation === incarnation ? undefined : false;
        },
      });
      if (won) return { incarnation: taken, count: 0 };
    }
    throw new StoreUnknownError(
      `conductor ${this.#conductor} was taken by others ${TAKERS_AT_ONCE} times meanwhile: is one started in a loop?`,
    );
  }

  async lease(): Promise<ConductorLease | undefined> {
    const { incarnation, count } = await this.#standing();
    return incarnation === undefined ? undefined : { incarnation, count };
  }

  /** Nobody else renews an incarnation: what is found at count + 1 after a lost answer is its own renewal. */
  async renew({ incarnation, count }: ConductorLease): Promise<ConductorLease | undefined> {
    const renewed = { incarnation, count: count + 1 };
    let lost = false;
    const { lease } = await swapped<{ lease: ConductorLease | undefined }>(
      this.#core.sites.own,
      this.#core.clock,
      {
        what: `the lease of conductor ${this.#conductor} is renewed`,
        statements: [
          this.#change("count = ?", "incarnation = ? AND count = ?", [count + 1], [incarnation, count]),
        ],
        applied: { lease: renewed },
        look: async (outcome) => {
          lost ||= outcome === "unknown";
          const stands = await this.#standing();
          const same = stands.incarnation === incarnation;
          if (same && stands.count === count) return undefined;
          return { lease: lost && same && stands.count === count + 1 ? renewed : undefined };
        },
      },
    );
    return lease;
  }

  // ---- the journal

  /** All or none. In the usual case one proposal, which also compares where the journal ends. */
  async append(incarnation: number, records: readonly JournalRecord[]): Promise<void> {
    let fresh = records;
    let last = isConsecutive(records) ? (records[0]?.sequence ?? 0) - 1 : undefined;
    let lost = false;
    for (let attempt = 0; attempt <= CAS_ATTEMPTS; attempt++) {
      if (last !== undefined) {
        const outcome = await this.#appendAfter(incarnation, last, fresh);
        if (outcome === "applied") return;
        lost ||= outcome === "unknown";
      }
      const stands = await this.#standing();
      // The answer was lost, and another took over behind it: they stand, as if it had been quicker.
      if (lost && stands.incarnation !== incarnation && (await this.#areOurs(incarnation, fresh))) return;
      this.#checkIncarnation(stands, incarnation);
      fresh = await this.#fresh(stands, records);
      if (fresh.length === 0) return;
      last = stands.last;
    }
    throw new StoreUnknownError(
      `the journal of conductor ${this.#conductor}: ${CAS_ATTEMPTS} attempts were not answered; read it again`,
    );
  }

  async read(afterSequence: number, limit: number): Promise<JournalRecord[]> {
    // Behind what was compacted: its rows are read past for as long as they are on the disks.
    const { first } = await this.#standing();
    const rows = await this.#core.sites.own.rows(
      statement(
        "SELECT sequence, json FROM conductor WHERE model = ? AND conductor = ? AND sequence > ? LIMIT ?",
        ...this.#where(),
        Math.max(afterSequence, first - 1),
        limit,
      ),
      CASSANDRA_LIMITS.firstPage,
      "serial",
    );
    return rows.map((row) => ({ sequence: numberOf(row, "sequence") ?? 0, json: textOf(row, "json") ?? "" }));
  }

  async compact(incarnation: number, upTo: number, summary: JournalRecord): Promise<void> {
    for (let attempt = 0; attempt < CAS_ATTEMPTS; attempt++) {
      const stands = await this.#standing();
      this.#checkIncarnation(stands, incarnation);
      const { first, last } = stands;
      if (summary.sequence !== upTo || upTo > last)
        throw new RangeError(
          `a summary stands at the last sequence that it replaces, at most ${last}; got ${summary.sequence} for ${upTo}`,
        );
      // Compacted further already: a late repeat.
      if (upTo < first) return;
      const outcome = await this.#core.sites.own.swap([
        this.#change(
          "first_sequence = ?",
          "incarnation = ? AND last_sequence = ?",
          [upTo],
          [incarnation, last],
        ),
        statement(
          "DELETE FROM conductor WHERE model = ? AND conductor = ? AND sequence < ?",
          ...this.#where(),
          upTo,
        ),
        this.#insert(incarnation, summary),
      ]);
      if (outcome === "applied") return;
    }
    throw new StoreUnknownError(
      `the journal of conductor ${this.#conductor}: its compaction was not answered; repeat it`,
    );
  }

  // ---- inside

  #where(): readonly [string, string] {
    return [this.#core.key(this.#model), this.#conductor];
  }

  #change(set: string, condition: string, values: readonly Value[], expected: readonly Value[]): Statement {
    return statement(
      `UPDATE conductor SET ${set} WHERE model = ? AND conductor = ? IF ${condition}`,
      ...values,
      ...this.#where(),
      ...expected,
    );
  }

  #insert(author: number, { sequence, json }: JournalRecord): Statement {
    return statement(
      "INSERT INTO conductor (model, conductor, sequence, json, author) VALUES (?, ?, ?, ?, ?)",
      ...this.#where(),
      sequence,
      json,
      author,
    );
  }

  async #appendAfter(
    incarnation: number,
    last: number,
    records: readonly JournalRecord[],
  ): Promise<Swapped | "nothing"> {
    const end = records.at(-1)?.sequence;
    if (end === undefined) return "nothing";
    return this.#core.sites.own.swap([
      this.#change(
        "last_sequence = ?",
        "incarnation = ? AND last_sequence = ?",
        [end],
        [incarnation, last === 0 ? null : last],
      ),
      ...records.map((record) => this.#insert(incarnation, record)),
    ]);
  }

  /** They were swapped together: one tells of all. */
  async #areOurs(incarnation: number, records: readonly JournalRecord[]): Promise<boolean> {
    const record = records.at(-1);
    if (record === undefined) return false;
    const row = await this.#core.sites.own.row(
      statement(
        "SELECT json, author FROM conductor WHERE model = ? AND conductor = ? AND sequence = ?",
        ...this.#where(),
        record.sequence,
      ),
      "serial",
    );
    return numberOf(row, "author") === incarnation && textOf(row, "json") === record.json;
  }

  /** At LOCAL_SERIAL: what is under way is ended first. */
  async #standing(): Promise<Standing> {
    const row = await this.#core.sites.own.row(
      statement(
        `SELECT DISTINCT incarnation, count, holder, first_sequence, last_sequence FROM conductor
          WHERE model = ? AND conductor = ?`,
        ...this.#where(),
      ),
      "serial",
    );
    return {
      incarnation: numberOf(row, "incarnation"),
      count: numberOf(row, "count") ?? 0,
      holder: textOf(row, "holder"),
      first: numberOf(row, "first_sequence") ?? 1,
      last: numberOf(row, "last_sequence") ?? 0,
    };
  }

  #checkIncarnation({ incarnation: standing }: Standing, incarnation: number): void {
    if (standing === incarnation) return;
    throw new FencedError(
      `incarnation ${incarnation} of conductor ${this.#conductor} (model ${this.#model}) may not write: ` +
        `${standing === undefined ? "nobody has taken it" : `incarnation ${standing} has taken over`}; stop`,
    );
  }

  /** Those that do not stand yet. A repeat is the same record, or one that was compacted since. */
  async #fresh({ first, last }: Standing, records: readonly JournalRecord[]): Promise<JournalRecord[]> {
    const repeated = records.filter(({ sequence }) => sequence >= first && sequence <= last);
    const [from] = repeated;
    const standing = new Map<number, string>();
    if (from !== undefined)
      for (const { sequence, json } of await this.read(from.sequence - 1, last - from.sequence + 1))
        standing.set(sequence, json);
    for (const { sequence, json } of repeated)
      if (standing.get(sequence) !== json)
        throw new RangeError(
          `sequence ${sequence} in the journal of conductor ${this.#conductor} is another record; it stays: read it again`,
        );
    const fresh = records.filter(({ sequence }) => sequence > last);
    for (const [index, { sequence }] of fresh.entries())
      if (sequence !== last + 1 + index)
        throw new RangeError(
          `the journal of conductor ${this.#conductor} goes on with sequence ${last + 1 + index}, got ${sequence}: read it again`,
        );
    return fresh;
  }
}

const isConsecutive = (records: readonly JournalRecord[]): boolean =>
  records.length > 0 &&
  records.every(({ sequence }, index) => sequence === (records[0]?.sequence ?? 0) + index);
