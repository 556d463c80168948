/** The ledger (I5: an epoch's entry is written once) and the floor (R9: at a quorum of every site, only grows). */
import type { LedgerEntry } from "@greco/domain/epoch";
import type { Epoch, ModelId } from "@greco/domain/model";
import { LedgerConflictError } from "@greco/ports";
import type { LaneCore } from "./core.ts";
import { stable } from "./keys.ts";
import type { Lanes } from "./lanes.ts";
import { CASSANDRA_LIMITS, LEDGER_PART } from "./limits.ts";
import { numberOf, type Row, statement, textOf } from "./session.ts";
import { swapped } from "./swap.ts";

const partOfEpoch = (epoch: number): number => Math.floor(epoch / LEDGER_PART);

/** The entry as text: scope and bindings are sets, whoever lists them in which order. */
function textOfEntry(entry: LedgerEntry): string {
  return stable({
    ...entry,
    scope: entry.scope.toSorted(),
    bindings: entry.bindings.toSorted((a, b) => (a.entity < b.entity ? -1 : 1)),
  });
}

export class Ledger {
  readonly #core: LaneCore;
  readonly #lanes: Lanes;

  constructor(core: LaneCore, lanes: Lanes) {
    this.#core = core;
    this.#lanes = lanes;
  }

  async append(entry: LedgerEntry): Promise<void> {
    const { sites, key, clock } = this.#core;
    const { model, epoch } = entry;
    await this.#lanes.noteModel(model);
    const text = textOfEntry(entry);
    const where = [key(model), partOfEpoch(epoch), epoch];
    const stands = await swapped(sites.own, clock, {
      what: `epoch ${epoch} of model ${model} enters the ledger`,
      statements: [
        statement(
          "INSERT INTO ledger (model, part, epoch, entry) VALUES (?, ?, ?, ?) IF NOT EXISTS",
          ...where,
          text,
        ),
      ],
      applied: text,
      look: async () =>
        textOf(
          await sites.own.row(
            statement("SELECT entry FROM ledger WHERE model = ? AND part = ? AND epoch = ?", ...where),
            "serial",
          ),
          "entry",
        ),
    });
    if (stands !== text)
      throw new LedgerConflictError(
        `epoch ${epoch} of model ${model} has another entry in the ledger: compare it with the registry's version`,
      );
  }

  /** Part by part; the first part without a row is the last that is looked into, gaps below it or not. */
  async read(model: ModelId, afterEpoch: Epoch, limit: number): Promise<LedgerEntry[]> {
    const rows: Row[] = [];
    for (let part = partOfEpoch(afterEpoch + 1); rows.length < limit; part++) {
      const found = await this.#core.sites.own.rows(
        statement(
          "SELECT entry FROM ledger WHERE model = ? AND part = ? AND epoch > ? LIMIT ?",
          this.#core.key(model),
          part,
          afterEpoch,
          limit - rows.length,
        ),
        CASSANDRA_LIMITS.firstPage,
      );
      if (found.length === 0) break;
      rows.push(...found);
    }
    return rows.map((row) => JSON.parse(textOf(row, "entry") ?? "") as LedgerEntry);
  }

  /** The floor is its own timestamp: the greatest stands, whoever is late. */
  async raiseFloor(model: ModelId, floor: Epoch): Promise<void> {
    if (floor < 1) return;
    await this.#core.sites.own.write(
      statement(
        "INSERT INTO floor (model, epoch) VALUES (?, ?) USING TIMESTAMP ?",
        this.#core.key(model),
        floor,
        floor,
      ),
      "everySite",
    );
  }

  async readFloor(model: ModelId): Promise<Epoch> {
    const row = await this.#core.sites.own.row(
      statement("SELECT epoch FROM floor WHERE model = ?", this.#core.key(model)),
    );
    return (numberOf(row, "epoch") ?? 0) as Epoch;
  }
}
