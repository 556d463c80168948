/**
 * A model as it changes: its head and its settings. Every head is told, in order; a reader that goes on from a
 * revision may hear again what it knew, and misses nothing. Marks say how far it is when nothing happens.
 */
import type { WatchModelRequest, WatchModelResponse } from "@greco/contracts/greco/registry/v1/registry";
import { CompactedError } from "@greco/ports";
import { fault, type CallContext } from "@greco/service-kit";
import { modelAt, told } from "../cache/model-changes.ts";
import { modelOf } from "../names.ts";
import type { Registry } from "../registry.ts";

export async function* watchModel(
  { store, directory, modelFeeds }: Registry,
  request: WatchModelRequest,
  { signal }: CallContext,
): AsyncGenerator<WatchModelResponse, void, undefined> {
  const model = modelOf(request.name);
  await directory.model(model, signal);
  const from = Number(request.fromRevision);
  try {
    const then = await modelAt(store, model, from === 0 ? undefined : from, signal);
    if (from === 0) yield told(then.revision, then.record, then.head);
    for await (const { revision, response } of modelFeeds.behind(model, then, signal))
      // Changes that are told to many may be told from before this caller's own beginning; all of that is known to it.
      yield revision >= then.revision ? response : { ...response, revision: BigInt(then.revision) };
  } catch (error) {
    throw error instanceof CompactedError || isFuture(error) ? gone(from, error) : error;
  }
}

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
