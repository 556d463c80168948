/** Snapshots of folded bindings: chunks under the digest of the whole, then the head by compare-and-swap: the first stands. */
import { createHash } from "node:crypto";
import type { Epoch, ModelId } from "@greco/domain/model";
import { type BindingSnapshot, StoreUnavailableError } from "@greco/ports";
import type { Core } from "./core.ts";
import { CASSANDRA_LIMITS, SNAPSHOT_CHUNK } from "./limits.ts";
import { numberOf, statement, textOf } from "./session.ts";
import { swapped } from "./swap.ts";

export class Snapshots {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  async put({ model, epoch, bindings }: BindingSnapshot): Promise<void> {
    const { sites, key, clock } = this.#core;
    const text = JSON.stringify(bindings);
    const digest = createHash("sha256").update(text).digest("hex");
    const chunks = Math.ceil(text.length / SNAPSHOT_CHUNK);
    for (let chunk = 0; chunk < chunks; chunk++)
      await sites.own.write(
        statement(
          "INSERT INTO snapshot_chunk (model, epoch, digest, chunk, content) VALUES (?, ?, ?, ?, ?)",
          key(model),
          epoch,
          digest,
          chunk,
          text.slice(chunk * SNAPSHOT_CHUNK, (chunk + 1) * SNAPSHOT_CHUNK),
        ),
      );
    await swapped(sites.own, clock, {
      what: `the snapshot of epoch ${epoch}`,
      statements: [
        statement(
          "INSERT INTO snapshot (model, epoch, digest, chunks) VALUES (?, ?, ?, ?) IF NOT EXISTS",
          key(model),
          epoch,
          digest,
          chunks,
        ),
      ],
      applied: true,
      look: async (outcome) => (outcome === "refused" ? true : undefined),
    });
  }

  /** The newest at or below `epoch`. */
  async get(model: ModelId, epoch: Epoch): Promise<BindingSnapshot | undefined> {
    const { sites, key } = this.#core;
    const head = await sites.own.row(
      statement(
        "SELECT epoch, digest, chunks FROM snapshot WHERE model = ? AND epoch <= ? LIMIT 1",
        key(model),
        epoch,
      ),
    );
    const at = numberOf(head, "epoch");
    const digest = textOf(head, "digest");
    if (at === undefined || digest === undefined) return undefined;
    const rows = await sites.own.rows(
      statement(
        "SELECT content FROM snapshot_chunk WHERE model = ? AND epoch = ? AND digest = ?",
        key(model),
        at,
        digest,
      ),
      CASSANDRA_LIMITS.firstPage,
    );
    const text = rows.map((row) => textOf(row, "content") ?? "").join("");
    if (createHash("sha256").update(text).digest("hex") !== digest)
      // Chunks are durable before the head at the site that wrote them; here they may still be on their way.
      throw new StoreUnavailableError(`the snapshot of epoch ${at} is not here as a whole yet`);
    return { model, epoch: at as Epoch, bindings: JSON.parse(text) as BindingSnapshot["bindings"] };
  }
}
