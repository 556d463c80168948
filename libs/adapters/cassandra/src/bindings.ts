/**
 * Bindings (R6: immutable per entity and candidate). A candidate's heads (hash, digest of the content) are one partition
 * that only compare-and-swaps touch, so that all of a call stand or none; contents stand by themselves, and are written
 * after their heads, by whoever owns them: a head whose content is not there (yet) is no binding.
 */
import { createHash } from "node:crypto";
import type { Binding } from "@greco/domain/epoch";
import type { CandidateId, EntityIdentity, ModelId } from "@greco/domain/model";
import { BindingConflictError, StoreUnknownError } from "@greco/ports";
import type { Core } from "./core.ts";
import { BINDINGS_A_SWAP, CAS_ATTEMPTS, CASSANDRA_LIMITS } from "./limits.ts";
import { mapSome, type Session, statement, textOf } from "./session.ts";
import { swapped } from "./swap.ts";

type Head = { readonly hash: string; readonly digest: string };
type Group = {
  readonly model: ModelId;
  readonly candidate: CandidateId;
  readonly bindings: readonly Binding[];
};

const digestOf = (content: string): string => createHash("sha256").update(content).digest("hex");

export class Bindings {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  get #own(): Session {
    return this.#core.sites.own;
  }

  /** Nothing of the call where one conflicts with what stands; what is published meanwhile stands up to that one. */
  async put(all: readonly Binding[]): Promise<void> {
    const groups = [...Map.groupBy(all, ({ model, candidate }) => `${model} ${candidate}`).values()].map(
      (bindings): Group => ({
        model: firstOf(bindings).model,
        candidate: firstOf(bindings).candidate,
        bindings,
      }),
    );
    for (const group of groups) missing(group.bindings, await this.#heads(group.model, group.candidate));
    for (const group of groups) await this.#putGroup(group);
  }

  async get(model: ModelId, entity: EntityIdentity, candidate: CandidateId): Promise<Binding | undefined> {
    const key = this.#core.key(model);
    const [head, stored] = await Promise.all([
      this.#own.row(
        statement(
          "SELECT hash, digest FROM binding WHERE model = ? AND candidate = ? AND entity = ?",
          key,
          candidate,
          entity,
        ),
      ),
      this.#own.row(
        statement(
          "SELECT content FROM binding_content WHERE model = ? AND candidate = ? AND entity = ?",
          key,
          candidate,
          entity,
        ),
      ),
    ]);
    const hash = textOf(head, "hash");
    const content = textOf(stored, "content");
    if (hash === undefined || content === undefined || digestOf(content) !== textOf(head, "digest"))
      return undefined;
    return { model, entity, candidate, hash, content };
  }

  async list(model: ModelId, candidate: CandidateId): Promise<Omit<Binding, "content">[]> {
    const heads = await this.#heads(model, candidate);
    return [...heads].map(([entity, { hash }]) => ({
      model,
      entity: entity as EntityIdentity,
      candidate,
      hash,
    }));
  }

  async candidates(model: ModelId): Promise<CandidateId[]> {
    const rows = await this.#own.rows(
      statement("SELECT candidate FROM candidate WHERE model = ?", this.#core.key(model)),
      CASSANDRA_LIMITS.page,
    );
    return rows.map((row) => textOf(row, "candidate") as CandidateId);
  }

  /** Everything but the head goes as of now: what is published again afterwards stays. */
  async delete(model: ModelId, entity: EntityIdentity, candidate: CandidateId): Promise<void> {
    const key = this.#core.key(model);
    const now = this.#own.timestamp();
    await swapped(this.#own, this.#core.clock, {
      what: `the binding of ${entity} for candidate ${candidate} is deleted`,
      statements: [
        statement(
          "DELETE FROM binding WHERE model = ? AND candidate = ? AND entity = ? IF EXISTS",
          key,
          candidate,
          entity,
        ),
      ],
      applied: true,
      look: async (outcome) => (outcome === "refused" ? true : undefined),
    });
    await this.#own.write(
      statement(
        "DELETE FROM binding_content USING TIMESTAMP ? WHERE model = ? AND candidate = ? AND entity = ?",
        now,
        key,
        candidate,
        entity,
      ),
    );
    if ((await this.#heads(model, candidate)).size > 0) return;
    await this.#own.write(
      statement(
        "DELETE FROM candidate USING TIMESTAMP ? WHERE model = ? AND candidate = ?",
        now,
        key,
        candidate,
      ),
    );
  }

  // ---- inside

  async #putGroup(group: Group): Promise<void> {
    const { model, candidate, bindings } = group;
    const key = this.#core.key(model);
    const listed = statement("INSERT INTO candidate (model, candidate) VALUES (?, ?)", key, candidate);
    // Before and after: a candidate is listed once it has a binding, also when the first one was just deleted.
    await this.#own.write(listed);
    for (let from = 0; from < bindings.length; from += BINDINGS_A_SWAP)
      await this.#putHeads({ ...group, bindings: bindings.slice(from, from + BINDINGS_A_SWAP) });
    await this.#own.write(listed);
    await mapSome(bindings, ({ entity, content }) =>
      this.#own.write(
        statement(
          "INSERT INTO binding_content (model, candidate, entity, content) VALUES (?, ?, ?, ?)",
          key,
          candidate,
          entity,
          content,
        ),
      ),
    );
  }

  async #putHeads({ model, candidate, bindings }: Group): Promise<void> {
    const key = this.#core.key(model);
    for (let attempt = 1; attempt <= CAS_ATTEMPTS; attempt++) {
      const fresh = missing(bindings, await this.#heads(model, candidate));
      if (fresh.length === 0) return;
      const outcome = await this.#own.swap(
        fresh.map(({ entity, hash, content }) =>
          statement(
            "INSERT INTO binding (model, candidate, entity, hash, digest) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS",
            key,
            candidate,
            entity,
            hash,
            digestOf(content),
          ),
        ),
      );
      if (outcome === "applied") return;
    }
    throw new StoreUnknownError(
      `the bindings of candidate ${candidate}: ${CAS_ATTEMPTS} attempts were not answered; publish them again`,
    );
  }

  async #heads(model: ModelId, candidate: CandidateId): Promise<Map<string, Head>> {
    const rows = await this.#own.rows(
      statement(
        "SELECT entity, hash, digest FROM binding WHERE model = ? AND candidate = ?",
        this.#core.key(model),
        candidate,
      ),
      CASSANDRA_LIMITS.page,
      "serial",
    );
    return new Map(
      rows.map((row) => [
        textOf(row, "entity") ?? "",
        { hash: textOf(row, "hash") ?? "", digest: textOf(row, "digest") ?? "" },
      ]),
    );
  }
}

function firstOf(bindings: readonly Binding[]): Binding {
  const [first] = bindings;
  if (first === undefined) throw new RangeError("a group has at least one binding");
  return first;
}

/** Those that do not stand yet; throws `BindingConflictError` where another one stands. */
function missing(bindings: readonly Binding[], heads: ReadonlyMap<string, Head>): Binding[] {
  const wanted = new Map<string, Binding>();
  for (const binding of bindings) {
    const { entity, candidate, hash, content } = binding;
    const stands = heads.get(entity) ?? headOf(wanted.get(entity));
    if (stands === undefined) wanted.set(entity, binding);
    else if (stands.hash !== hash || stands.digest !== digestOf(content))
      throw new BindingConflictError(
        `R6: ${entity} has another binding for candidate ${candidate}; it stays: publish a new candidate`,
      );
  }
  return [...wanted.values()];
}

const headOf = (binding: Binding | undefined): Head | undefined =>
  binding === undefined ? undefined : { hash: binding.hash, digest: digestOf(binding.content) };
