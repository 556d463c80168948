/**
 * A model as it changes: its head and its settings. Every head is told, in order; a reader that goes on from a
 * revision may hear again what it knew, and misses nothing. Marks say how far it is when nothing happens.
 */
import type {
  WatchModelRequest,
  WatchModelResponseSchema,
} from "@greco/contracts/greco/registry/v1/registry";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { keys } from "@greco/control-kit";
import { CompactedError } from "@greco/ports";
import { fault, type CallContext } from "@greco/service-kit";
import { modelOf } from "../names.ts";
import type { Registry } from "../registry.ts";
import { fromBytes } from "../store/json.ts";
import type { HeadRecord, ModelRecord } from "../store/records.ts";
import { merged } from "../streams.ts";
import { toModel } from "../wire/nouns.ts";

type Response = MessageInitShape<typeof WatchModelResponseSchema>;

export async function* watchModel(
  { store, directory }: Registry,
  request: WatchModelRequest,
  { signal }: CallContext,
): AsyncGenerator<Response, void, undefined> {
  const model = modelOf(request.name);
  await directory.model(model, signal);
  const from = Number(request.fromRevision);
  try {
    const at = from === 0 ? {} : { revision: from };
    const settings = await store.range({ key: keys.model(model) }, at, signal);
    const start = from === 0 ? settings.revision : from;
    const heads = await store.range({ key: keys.head(model) }, { revision: start }, signal);
    let record = recordOf<ModelRecord>(settings.entries[0]?.value);
    let head = recordOf<HeadRecord>(heads.entries[0]?.value);
    const response = (revision: number): Response => ({
      revision: BigInt(revision),
      ...(record === undefined ? {} : { model: toModel(record, head?.version ?? 0) }),
    });
    if (from === 0) yield response(start);
    // Who goes on from here must hear of both from here: the one that is further is told again.
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
        positions[name] = event.entry.modRevision;
        yield response(Math.min(positions.model, positions.head));
      }
      positions[name] = batch.revision;
      if (batch.events.length === 0) yield { revision: BigInt(Math.min(positions.model, positions.head)) };
    }
  } catch (error) {
    throw error instanceof CompactedError || isFuture(error) ? gone(from, error) : error;
  }
}

const recordOf = <T>(value: Uint8Array | undefined): T | undefined =>
  value === undefined ? undefined : fromBytes<T>(value);

function isFuture(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("future");
}

function gone(from: number, cause: unknown): Error {
  return fault.outOfRange(
    "REVISION_GONE",
    `the store does not hold revision ${from} (any more): watch from 0 and take the present state`,
    { cause },
  );
}
