/** What becomes of one model's settings and head, behind a revision, as the store tells it. */
import { create } from "@bufbuild/protobuf";
import {
  type WatchModelResponse,
  WatchModelResponseSchema,
} from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import type { CpStore } from "@greco/ports";
import { fromBytes } from "../store/json.ts";
import type { HeadRecord, ModelRecord } from "../store/records.ts";
import { merged } from "../streams.ts";
import { toModel } from "../wire/nouns.ts";

export type ModelChange = {
  /** Of this change alone; a mark's is how far it is. */
  readonly at: number;
  /** Everything up to here has been told: who goes on from here misses nothing, and may hear some of it again. */
  readonly revision: number;
  /** A mark has no model. */
  readonly response: WatchModelResponse;
};

/** The model as of a revision (`undefined`: now), linearizable. Throws what `range` throws. */
export async function modelAt(store: CpStore, model: string, at: number | undefined, signal: AbortSignal) {
  const asked = at === undefined ? {} : { revision: at };
  const settings = await store.range({ key: keys.model(model) }, asked, signal);
  const revision = at ?? settings.revision;
  const heads = await store.range({ key: keys.head(model) }, { revision }, signal);
  return {
    revision,
    record: recordOf<ModelRecord>(settings.entries[0]?.value),
    head: recordOf<HeadRecord>(heads.entries[0]?.value),
  };
}

export type ModelThen = Awaited<ReturnType<typeof modelAt>>;

/** Every change behind `then`, those of settings in their order and those of the head in theirs. */
export async function* modelChanges(
  store: CpStore,
  model: string,
  then: ModelThen,
  signal: AbortSignal,
): AsyncGenerator<ModelChange, void, undefined> {
  let { record, head } = then;
  const start = then.revision;
  // Who goes on from a told revision must hear of both from there: the one that is further is told again.
  const positions = { model: start, head: start };
  const watches = {
    model: (each: AbortSignal) => store.watch({ key: keys.model(model) }, start, each),
    head: (each: AbortSignal) => store.watch({ key: keys.head(model) }, start, each),
  };
  for await (const { name, batch } of merged(watches, signal)) {
    for (const event of batch.events) {
      if (event.type === "delete") continue;
      if (name === "head") head = fromBytes<HeadRecord>(event.entry.value);
      else record = fromBytes<ModelRecord>(event.entry.value);
      const at = event.entry.modRevision;
      positions[name] = at;
      const revision = Math.min(positions.model, positions.head);
      yield { at, revision, response: told(revision, record, head) };
    }
    positions[name] = batch.revision;
    if (batch.events.length > 0) continue;
    const revision = Math.min(positions.model, positions.head);
    yield { at: revision, revision, response: told(revision) };
  }
}

export function told(
  revision: number,
  record?: ModelRecord | undefined,
  head?: HeadRecord | undefined,
): WatchModelResponse {
  return create(WatchModelResponseSchema, {
    revision: BigInt(revision),
    ...(record === undefined ? {} : { model: toModel(record, head?.version ?? 0) }),
  });
}

const recordOf = <T>(value: Uint8Array | undefined): T | undefined =>
  value === undefined ? undefined : fromBytes<T>(value);
