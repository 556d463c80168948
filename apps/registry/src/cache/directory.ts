/** Models, heads, kinds and roles: small, wanted by every call, and therefore in memory behind watches. */
import { keys, type PersonRole } from "@greco/control-kit";
import type { JsonObject, Kind, KindId, Kinds } from "@greco/domain/model";
import type { Clock, Compare, CpStore, Log } from "@greco/ports";
import { fault } from "@greco/service-kit";
import type { Stored } from "../store/json.ts";
import type { HeadRecord, KindRecord, ModelRecord, RoleRecord } from "../store/records.ts";
import { Feed } from "./feed.ts";

export class Directory {
  readonly models: Feed<ModelRecord>;
  readonly heads: Feed<HeadRecord>;
  readonly kindRecords: Feed<KindRecord>;
  readonly roles: Feed<RoleRecord>;
  readonly #store: CpStore;
  readonly #kinds = new Map<string, Kinds>();

  private constructor(
    store: CpStore,
    models: Feed<ModelRecord>,
    heads: Feed<HeadRecord>,
    kindRecords: Feed<KindRecord>,
    roles: Feed<RoleRecord>,
  ) {
    this.#store = store;
    this.models = models;
    this.heads = heads;
    this.kindRecords = kindRecords;
    this.roles = roles;
    kindRecords.onChange((key) => this.#kinds.delete(key.split("/")[1] as string));
  }

  static async open(
    dependencies: { readonly store: CpStore; readonly clock: Clock; readonly log: Log },
    signal: AbortSignal,
  ): Promise<Directory> {
    const [models, heads, kinds, roles] = await Promise.all([
      Feed.open<ModelRecord>(dependencies, "model/", signal),
      Feed.open<HeadRecord>(dependencies, "head/", signal),
      Feed.open<KindRecord>(dependencies, "kind/", signal),
      Feed.open<RoleRecord>(dependencies, "role/", signal),
    ]);
    return new Directory(dependencies.store, models, heads, kinds, roles);
  }

  async model(model: string, signal: AbortSignal): Promise<Stored<ModelRecord>> {
    const record = await this.models.find(keys.model(model), signal);
    if (record !== undefined) return record;
    throw fault.notFound("MODEL_NOT_FOUND", `models/${model}`, `there is no model ${model}: create it first`);
  }

  async head(model: string, signal: AbortSignal): Promise<Stored<HeadRecord>> {
    return orNoModel(model, await this.heads.find(keys.head(model), signal));
  }

  /** As the watch has told of it, like all that calls ask for; what this replica has granted or revoked, at once. */
  async roleOf(model: string, subject: string, signal: AbortSignal): Promise<PersonRole | undefined> {
    return (await this.roles.find(keys.roleBinding(model, subject), signal))?.value.role;
  }

  /** From the store itself (linearizable). */
  async freshHead(model: string, signal: AbortSignal): Promise<Stored<HeadRecord>> {
    return orNoModel(model, await this.heads.refresh(keys.head(model), signal));
  }

  /** The model's kinds; the same map until one of them changes. */
  kinds(model: string): Kinds {
    const known = this.#kinds.get(model);
    if (known !== undefined) return known;
    const kinds = new Map<string, Kind>();
    for (const [, { value }] of this.kindRecords.entries(keys.kinds(model)))
      kinds.set(value.id, toKind(value));
    this.#kinds.set(model, kinds);
    return kinds;
  }

  /**
   * The model's kinds as of now, not as of the watch, with what a transaction that relies on them must compare:
   * every change of a kind touches the one key.
   */
  async freshKinds(
    model: string,
    signal: AbortSignal,
  ): Promise<{ readonly kinds: Kinds; readonly unchanged: Compare }> {
    const key = keys.kindSet(model);
    const { entries } = await this.#store.range({ key }, { limit: 1, keysOnly: true }, signal);
    const value = entries[0]?.modRevision ?? 0;
    await this.kindRecords.reached(value, signal);
    return { kinds: this.kinds(model), unchanged: { key, target: "modRevision", is: "=", value } };
  }

  /** The kinds with, if it exists anywhere, the kind `id`: another replica may have made it a moment ago. */
  async kindsWith(model: string, ids: Iterable<string>, signal: AbortSignal): Promise<Kinds> {
    for (const id of ids)
      if (!this.kinds(model).has(id)) await this.kindRecords.refresh(keys.kind(model, id), signal);
    return this.kinds(model);
  }
}

export function toKind(record: KindRecord): Kind {
  const { schemaJson, etag: _etag, ...rest } = record;
  return {
    ...rest,
    id: record.id as KindId,
    references: record.references.map((each) => ({ ...each, kind: each.kind as KindId })),
    schema: JSON.parse(schemaJson) as JsonObject,
  };
}

function orNoModel(model: string, record: Stored<HeadRecord> | undefined): Stored<HeadRecord> {
  if (record !== undefined) return record;
  throw fault.notFound("MODEL_NOT_FOUND", `models/${model}`, `there is no model ${model}: create it first`);
}
